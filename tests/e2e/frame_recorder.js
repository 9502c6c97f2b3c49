// Notes by itself what a page shows in which frame: the times of all animation frames, when a trial's canvas was drawn on and
// cleared, when its choices were shown. A reference for the frame log that the page keeps; takes nothing from the page's code.
(() => {
  const times = [];
  const events = [];
  window.frameRecorder = { times, events };

  const note = (what, element) => {
    const trial = element.closest?.(".trial");
    if (trial) {
      events.push({ what, trial: Number(trial.dataset.trialIndex), frame: times.length - 1 });
    }
  };

  // Asked for before the page asks for any, so in each frame it comes first.
  const onFrame = (now) => {
    times.push(now);
    requestAnimationFrame(onFrame);
  };
  requestAnimationFrame(onFrame);

  const canvas = CanvasRenderingContext2D.prototype;
  for (const [method, what] of [
    ["drawImage", "drawn"],
    ["clearRect", "cleared"],
  ]) {
    const original = canvas[method];
    canvas[method] = function (...details) {
      note(what, this.canvas);
      return original.apply(this, details);
    };
  }

  // Told right after the page's work for the frame, so still in it.
  new MutationObserver((changes) => {
    for (const { target } of changes) {
      if (target.dataset.phase === "choice") {
        note("choices", target);
      }
    }
  }).observe(document, { attributeFilter: ["data-phase"], subtree: true });
})();
