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
  for (const choice of figure.querySelectorAll(".switch input")) {
    choice.addEventListener("change", () => {
      before.src = choice.value;
      before.alt = label.textContent = choice.dataset.label;
      show();
    });
  }
  show();
}
