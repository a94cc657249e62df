(function () {
  var bar = document.querySelector(".filters");
  if (!bar) return;
  var entries = Array.prototype.slice.call(document.querySelectorAll("[data-entry]"));
  var search = bar.querySelector("input"), selects = Array.prototype.slice.call(bar.querySelectorAll("select"));
  var more = bar.querySelector("details"), label = more.querySelector("summary"), wide = window.matchMedia("(min-width: 40.01rem)");
  var shown = bar.querySelector("output"), texts = entries.map(function (entry) { return entry.textContent.toLowerCase(); });
  function apply() {
    var words = search.value.toLowerCase().split(/\s+/).filter(Boolean), count = 0;
    entries.forEach(function (entry, index) {
      var fits = selects.every(function (select) { return !select.value || entry.dataset[select.name] === select.value; }) &&
        words.every(function (word) { return texts[index].indexOf(word) >= 0; });
      entry.hidden = !fits;
      if (fits) count += 1;
    });
    var used = selects.filter(function (select) { return select.value; }).length;
    label.textContent = used ? "Filters (" + used + ")" : "Filters";
    shown.value = count + " of " + entries.length;
  }
  function open() {
    var target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.hidden) { search.value = ""; selects.forEach(function (select) { select.value = ""; }); apply(); }
    if (target.tagName === "DETAILS") target.open = true;
    target.scrollIntoView();
  }
  function fit() { more.open = wide.matches; }
  bar.hidden = false;
  fit();
  wide.addEventListener("change", fit);
  bar.addEventListener("input", apply);
  window.addEventListener("hashchange", open);
  apply();
  open();
})();
