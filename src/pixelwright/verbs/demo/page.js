for (const figure of document.querySelectorAll(".compare")) {
  const stage = figure.querySelector(".stage");
  const range = stage.querySelector("input");
  const before = stage.querySelector(".before");
  const label = stage.querySelector(".left");
  const show = () => {
    stage.style.setProperty("--cut", range.value + "%");
    range.setAttribute("aria-valuetext", Math.round(range.value) + " % " + label.textContent);
  };
  range.addEventListener("input", show);
  range.addEventListener("keydown", (event) => {
    const direction = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!direction) return;
    event.preventDefault();
    range.valueAsNumber += 4 * direction;
    show();
  });
  for (const choice of figure.querySelectorAll(".switch input")) {
    choice.addEventListener("change", () => {
      before.src = choice.value;
      before.alt = label.textContent = choice.dataset.label;
      show();
    });
  }
  show();
}
