// Package pod is what a container in Kubernetes shares with its scheduler: the
// result file that Airflow reads as XCom, the termination message, the memory
// limit of the cgroup, and its number in an Indexed Job. Only main uses it.
package pod

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// The places that Kubernetes and Airflow's KubernetesPodOperator give.
const (
	XComFile        = "/airflow/xcom/return.json"
	TerminationFile = "/dev/termination-log"
)

// Limits of what the places take, in bytes. Kubernetes cuts a termination
// message at 4096 bytes.
const (
	MaxXCom        = 32 << 10
	MaxTermination = 4096
)

// WriteXCom writes the result as JSON to file, atomically. When the file's
// directory does not exist, XCom is off and nothing is written. A result over
// MaxXCom is an error: Airflow keeps XCom in its database.
func WriteXCom(file string, result any) error {
	dir := filepath.Dir(file)
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	body, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("encoding the result: %w", err)
	}
	if len(body) > MaxXCom {
		return fmt.Errorf("the result has %d bytes, XCom takes %d", len(body), MaxXCom)
	}
	tmp, err := os.CreateTemp(dir, ".return-*.json")
	if err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	_, err = tmp.Write(body)
	err = errors.Join(err, tmp.Sync(), tmp.Chmod(0o644), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing the result: %w", err), os.Remove(tmp.Name()))
	}
	return nil
}

// WriteTermination writes the message that Kubernetes shows for the container
// and Airflow puts into the task's error. Where the file does not exist there
// is no Kubernetes, and nothing is written.
func WriteTermination(file, message string) error {
	if _, err := os.Stat(file); err != nil {
		return nil
	}
	message = strings.ToValidUTF8(message, "?")
	for len(message) > MaxTermination {
		_, size := utf8.DecodeLastRuneInString(message)
		message = message[:len(message)-size]
	}
	if err := os.WriteFile(file, []byte(message), 0o644); err != nil {
		return fmt.Errorf("writing the termination message: %w", err)
	}
	return nil
}
