// A screen of any refresh rate for a page in a real browser: animation frames, the clock and the times of events are its own and run
// as fast as the page allows. It may miss frames and change its rate, and answers each trial.
({ hz, missed, rates }) => {
  const callbacks = [];
  let now = 20_000;
  let interval = 1000 / hz;
  let place = { trial: null, phase: null, frame: 0 };
  window.requestAnimationFrame = (callback) => callbacks.push(callback);
  performance.now = () => now;
  Object.defineProperty(Event.prototype, "timeStamp", { get: () => now });

  // How many frames are missed before the one that is due: `missed` has trial, phase, frames since its beginning and how many.
  const missedNow = () =>
    missed.find(({ trial, phase, frame }) => trial === place.trial && phase === place.phase && frame === place.frame)
      ?.count ?? 0;

  const step = () => {
    // `rates` has the Hz from the stimulus of a trial on.
    if (place.phase === "stimulus" && place.trial in rates) {
      interval = 1000 / rates[place.trial];
    }
    const advanced = 1 + missedNow();
    now += advanced * interval;
    for (const callback of callbacks.splice(0)) {
      callback(now);
    }
    const { trialIndex, phase } = document.querySelector(".trial")?.dataset ?? {};
    const trial = trialIndex === undefined ? null : Number(trialIndex);
    const isSame = trial === place.trial && phase === place.phase;
    place = { trial, phase, frame: isSame ? place.frame + advanced : 0 };
    // The choices have been seen for 18 frames.
    if (phase === "choice" && place.frame === 19) {
      document.querySelector("[data-testid='choice-1']").click();
    }
  };

  // Not a timer: browsers hold those back to 4 ms.
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    step();
    port2.postMessage(null);
  };
  port2.postMessage(null);
}
