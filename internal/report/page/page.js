(function () {
  "use strict";
  var data = JSON.parse(document.getElementById("data").textContent);
  var size = 100, page = 0, shown = data;
  var body = document.querySelector("#items tbody");
  var search = document.getElementById("search"), state = document.getElementById("state"), kind = document.getElementById("class");
  var count = document.getElementById("count"), previous = document.getElementById("previous"), next = document.getElementById("next");
  var marks = {"break": "bad", "unknown": "dunno", "granted": "warn", "exception": "warn"};
  data.forEach(function (d) { d.all = d.join("\u0000").toLowerCase(); });
  function cell(row, text, name) {
    var td = document.createElement("td");
    if (name) { td.className = name; }
    td.textContent = text;
    row.appendChild(td);
    return td;
  }
  function draw() {
    var rows = document.createDocumentFragment();
    shown.slice(page * size, (page + 1) * size).forEach(function (d) {
      var row = document.createElement("tr");
      cell(row, d[0], "n");
      var pill = document.createElement("span");
      pill.className = "pill " + marks[d[1]];
      pill.textContent = d[1];
      cell(row, "").appendChild(pill);
      cell(row, d[2], "n");
      var where = cell(row, "", "wrap");
      d[3].split(" \u00b7 ").forEach(function (part, i) {
        if (i > 0) { where.append(" \u00b7 "); }
        var span = document.createElement("span");
        span.textContent = part;
        where.append(span);
      });
      cell(row, d[4], "r");
      cell(row, d[5], "r");
      cell(row, d[6], "text");
      rows.appendChild(row);
    });
    body.replaceChildren(rows);
    var last = Math.max(1, Math.ceil(shown.length / size));
    count.textContent = shown.length === 0 ? "nothing fits" : (page * size + 1) + " to " + Math.min(shown.length, (page + 1) * size) + " of " + shown.length +
      (shown.length < data.length ? " that fit, " + data.length + " in all" : "");
    previous.disabled = page === 0;
    next.disabled = page + 1 >= last;
  }
  function filter() {
    var words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    shown = data.filter(function (d) {
      return (!state.value || d[1] === state.value) && (!kind.value || d[2] === kind.value) &&
        words.every(function (w) { return d.all.indexOf(w) >= 0; });
    });
    page = 0;
    draw();
  }
  function turn(by) { page += by; draw(); document.getElementById("items").scrollIntoView({block: "nearest"}); }
  search.addEventListener("input", filter);
  state.addEventListener("change", filter);
  kind.addEventListener("change", filter);
  previous.addEventListener("click", function () { turn(-1); });
  next.addEventListener("click", function () { turn(1); });
  document.getElementById("tools").hidden = false;
  draw();
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details.print").forEach(function (d) { d.open = true; });
  });
})();
