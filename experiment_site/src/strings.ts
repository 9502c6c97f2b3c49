// Every sentence that the page says by itself. What a study says comes from the study's own pages.

import type { Result, Shape } from "./contract";

const percent = (part: number) => `${Math.round(100 * part)}%`;

export const strings = {
  connecting: "Connecting…",
  stillConnecting: "The server cannot be reached at the moment. We keep trying; please leave this page open.",
  loadingTitle: "Loading the pictures",
  loading: (done: number, total: number) => `${done} of ${total}`,
  gettingReady: "Getting ready…",

  consentTitle: "Before you begin",
  agree: "I agree",
  start: "Start",
  startTest: "Start the test",
  continue: "Continue",
  welcomeBackTitle: "Welcome back",
  welcomeBack: (trial: number, total: number) =>
    `You go on where you stopped: trial ${trial} of ${total}. Your earlier answers are safe.`,

  howToBegin: "Each picture appears once you click on the cross in the centre.",
  howToAnswer: (keys: readonly string[]) => {
    const [first, second] = keys;
    if (first === "f") {
      return "To answer, click on your choice, or press F for the first choice and J for the second; each choice shows its key.";
    }
    return first === undefined || second === undefined
      ? "To answer, click on your choice."
      : `To answer, click on your choice, or press the number that it shows (${first} to ${keys.at(-1)}).`;
  },

  progress: "Progress through the study",
  fixation: "Click on the cross to begin",
  picture: "Picture",
  shapes: { circle: "Circle", triangle: "Triangle" } satisfies Record<Shape, string>,
  choices: "Choose one",
  choiceWithKey: (name: string, key: string) => `${name}, key ${key.toUpperCase()}`,
  correct: "Correct",
  incorrect: "Incorrect",
  tooLate: "Too late",
  next: "Press space or click here to go on",

  sendingTitle: "One moment",
  sending: (left: number) => `Sending your answers: ${left} left…`,
  sendingPatience: "Please leave this page open until this is done.",

  doneTitle: "Thank you",
  score: ({ accuracy, n_trials }: Result) =>
    `You chose the right category for ${percent(accuracy)} of ${n_trials} ${n_trials === 1 ? "picture" : "pictures"}.`,
  bonus: ({ bonus_usd }: Result) => `Your bonus: $${bonus_usd.toFixed(2)}.`,
  done: "All of your answers have arrived.",
  screenedOut: "This part was a short screening, and the study ends here for you. Thank you for taking part.",
  close: "You may close this page.",
  enterCode: "Please enter this code on the platform on which you found the study:",
  returnToPlatform: "Return to the platform",

  previewTitle: "This is a preview",
  preview: [
    "The address of this page names no participant, so no session was started and nothing is stored.",
    "To take part, please use the full link that you were given.",
  ],
  previewForResearchers: "To try the study yourself, add this to the address:",

  incompleteTitle: "This link is not complete",
  incomplete: (parameter: string) =>
    `The address of this page lacks a valid ${parameter}. Please open the study again with the full link that you were given.`,
  openedElsewhereTitle: "Opened in another window",
  openedElsewhere:
    "This study has been opened again in another window or tab, so it goes on there. Nothing is lost. You may close this one.",
  goOnHere: "Go on here instead",
  stimulusTitle: "A picture could not be loaded",
  stimulus: (url: string) =>
    `The study cannot go on without it: ${url}. Your answers so far are safe. Please check your connection and try again.`,
  missingTitle: "Some answers are missing",
  missing: (count: number) =>
    `The server lacks ${count} of your answers and this page no longer has them. Please tell the researchers.`,
  refusedTitle: "The study cannot go on",
  unexpectedTitle: "Something went wrong",
  unexpected: "Your answers so far are safe. Please try again; you go on where you stopped.",
  tryAgain: "Try again",
} as const;
