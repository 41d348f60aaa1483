package report_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// chromium is a headless browser, spoken to over a pipe by its own protocol. No name resolves in it and its proxy is a closed
// port, so that a page that wants the network does not get it.
type chromium struct {
	t       *testing.T
	in      io.Writer
	out     *bufio.Reader
	session string
	last    int
	events  []message // that nobody has waited for yet
}

type message struct {
	ID      int             `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   json.RawMessage `json:"error,omitempty"`
}

// startChromium starts a browser with one empty page; a test without one is skipped.
func startChromium(t *testing.T) *chromium {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("there is no Chromium here: the page was NOT CHECKED in a browser")
	}
	fromTest, toBrowser, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	fromBrowser, toTest, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-background-networking",
		"--remote-debugging-pipe", "--user-data-dir="+t.TempDir(), "--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9", "about:blank")
	cmd.ExtraFiles = []*os.File{fromTest, toTest}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &chromium{t: t, in: toBrowser, out: bufio.NewReader(fromBrowser)}
	if err := errors.Join(fromTest.Close(), toTest.Close()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.session = ""
		c.call("Browser.close", nil, nil)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the browser ended with %v\n%s", err, &stderr)
		}
	})
	var target struct{ TargetID string }
	c.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	c.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	c.session = attached.SessionID
	for _, domain := range []string{"Page", "Network", "Runtime", "Log"} {
		c.call(domain+".enable", nil, nil)
	}
	return c
}

// call calls a method and reads its result.
func (c *chromium) call(method string, params, result any) {
	c.t.Helper()
	c.last++
	request := map[string]any{"id": c.last, "method": method}
	if params != nil {
		request["params"] = params
	}
	if c.session != "" {
		request["sessionId"] = c.session
	}
	body, err := json.Marshal(request)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.in.Write(append(body, 0)); err != nil {
		c.t.Fatal(err)
	}
	for {
		m := c.read()
		if m.ID != c.last {
			c.events = append(c.events, m)
			continue
		}
		if m.Error != nil {
			c.t.Fatalf("%s: %s", method, m.Error)
		}
		if result != nil {
			if err := json.Unmarshal(m.Result, result); err != nil {
				c.t.Fatal(err)
			}
		}
		return
	}
}

func (c *chromium) read() (m message) {
	c.t.Helper()
	body, err := c.out.ReadBytes(0)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := json.Unmarshal(body[:len(body)-1], &m); err != nil {
		c.t.Fatal(err)
	}
	return m
}

// load opens an address, waits until it is loaded, and returns what happened on the way: URLs asked for, and complaints.
func (c *chromium) load(url string) (requests, complaints []string) {
	c.t.Helper()
	c.events = nil
	c.call("Page.navigate", map[string]any{"url": url}, nil)
	for loaded := false; !loaded; {
		if len(c.events) == 0 {
			c.events = append(c.events, c.read())
		}
		m := c.events[0]
		c.events = c.events[1:]
		var p struct {
			Request   struct{ URL string }
			Entry     struct{ Text string }
			Exception json.RawMessage `json:"exceptionDetails"`
		}
		if len(m.Params) > 0 {
			if err := json.Unmarshal(m.Params, &p); err != nil {
				c.t.Fatal(err)
			}
		}
		switch m.Method {
		case "Network.requestWillBeSent":
			requests = append(requests, p.Request.URL)
		case "Log.entryAdded":
			complaints = append(complaints, p.Entry.Text)
		case "Runtime.exceptionThrown":
			complaints = append(complaints, string(p.Exception))
		}
		loaded = m.Method == "Page.loadEventFired"
	}
	return requests, complaints
}

// evaluate runs a script in the page and reads its value.
func (c *chromium) evaluate(script string, value any) {
	c.t.Helper()
	var out struct {
		Result    struct{ Value json.RawMessage }
		Exception json.RawMessage `json:"exceptionDetails"`
	}
	c.call("Runtime.evaluate", map[string]any{"expression": script, "awaitPromise": true, "returnByValue": true}, &out)
	if out.Exception != nil {
		c.t.Fatalf("%.200s: %s", script, out.Exception)
	}
	if value == nil {
		return
	}
	if err := json.Unmarshal(out.Result.Value, value); err != nil {
		c.t.Fatalf("%.200s: %v", script, err)
	}
}

// screen is how a page is looked at.
type screen struct {
	name          string
	width, height int
	zoom          float64
	scheme        string
}

// show sets the screen: width and height are of the window, zoom makes the page's own pixels smaller.
func (c *chromium) show(s screen) {
	c.t.Helper()
	c.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": int(float64(s.width) / s.zoom), "height": int(float64(s.height) / s.zoom), "deviceScaleFactor": s.zoom, "mobile": false}, nil)
	c.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": s.scheme}}}, nil)
}

// picture saves the page down to a height, in the page's pixels.
func (c *chromium) picture(path string, s screen, height int) {
	c.t.Helper()
	var out struct{ Data string }
	c.call("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true,
		"clip": map[string]any{"x": 0, "y": 0, "width": float64(s.width) / s.zoom, "height": height, "scale": 1}}, &out)
	c.save(path, out.Data)
}

// print saves the page as an A4 PDF and returns the number of its sheets.
func (c *chromium) print(path string) int {
	c.t.Helper()
	var out struct{ Data string }
	c.call("Page.printToPDF", map[string]any{"preferCSSPageSize": true, "paperWidth": 8.27, "paperHeight": 11.69, "printBackground": false}, &out)
	return bytes.Count(c.save(path, out.Data), []byte("/Type /Page\n"))
}

func (c *chromium) save(path, data string) []byte {
	c.t.Helper()
	body, err := base64.StdEncoding.DecodeString(data)
	if err == nil {
		err = os.WriteFile(path, body, 0o644)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return body
}

// violations are what axe-core finds wrong with the page as it is shown.
func (c *chromium) violations(axe string) (found []string) {
	c.t.Helper()
	c.evaluate(axe+"\n;0", nil)
	var result []struct {
		ID    string
		Nodes []struct{ HTML, FailureSummary string }
	}
	c.evaluate(`axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations)`, &result)
	for _, v := range result {
		n := v.Nodes[0]
		found = append(found, fmt.Sprintf("%s, %d times, as %.160s: %s", v.ID, len(v.Nodes), n.HTML, strings.Join(strings.Fields(n.FailureSummary), " ")))
	}
	return found
}
