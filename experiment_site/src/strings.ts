// Every text of the page itself. The texts of a study come from its own pages.

import type { Result, Shape } from "./contract";

const percent = (part: number) => `${Math.round(100 * part)}%`;

export const strings = {
  connecting: "Connecting…",
  stillConnecting: "We cannot reach the server right now. We keep trying; please leave this page open.",
  loadingTitle: "Loading the images",
  loading: (done: number, total: number) => `${done} of ${total}`,
  gettingReady: "Getting ready…",
  loadingImage: "Loading the image…",
  stillLoadingImage: "This image takes longer than usual. We keep trying; please leave this page open.",

  agree: "I agree",
  start: "Start",
  startTest: "Start the test",
  continue: "Continue",
  welcomeBackTitle: "Welcome back",
  welcomeBack: (trial: number, total: number) =>
    `You continue where you stopped: trial ${trial} of ${total}. Your earlier answers are saved.`,

  computerNeededTitle: "This study needs a computer",
  computerNeeded:
    "It does not work on a phone or tablet. Please open the same link on a desktop or laptop computer. You have not started yet.",
  windowTooSmallTitle: "Please make your window larger",
  windowTooSmall: (needed: number) =>
    `The study needs a window of at least ${needed} × ${needed} pixels. Please drag a corner of this one, or zoom out with Ctrl and − (Cmd and − on a Mac).`,
  windowSize: (width: number, height: number) => `It is now ${width} × ${height} pixels.`,
  windowStillTooSmall: "That is still too small.",
  windowLargeEnough: "That is large enough.",
  otherTabTitle: "Open in another tab",
  otherTab:
    "This study is already open in another tab or window of this browser. Please continue there, or close it and try again here.",

  fullScreenTitle: "Please go back to full screen",
  fullScreen: "The study is shown in full screen. It waits until you are back; your answers so far are saved.",
  enterFullScreen: "Full screen",

  cardTitle: "How large is your screen?",
  card: [
    "First make this window as wide as your screen. Then hold a bank card against the screen and make the drawn card just as large: move the slider with the mouse or the arrow keys, or drag the drawing's lower right corner.",
    "Any card of the same size will do, such as a membership card or a driver's licence. If you have none, make the drawing 85.6 mm (3.37 inches) wide with a ruler.",
  ],
  cardWidth: "Size of the drawn card",
  cardFits: "The sizes are the same",
  blindSpotTitle: "How far away do you sit?",
  blindSpot: "Sit as you will during the study.",
  blindSpotSteps: [
    "Cover your right eye with your right hand, and put the left one on the space bar.",
    "Look at the black square with your left eye, and keep looking at it.",
    "Press the space bar: the red ball begins to move to the left.",
    "Press it again as soon as the ball disappears from your view. Then the next ball waits for you.",
  ],
  measurementsLeft: "Balls left:",
  distanceTitle: "Is this about right?",
  distance: (mm: number) =>
    `You seem to sit ${Math.round(mm / 10)} cm (${Math.round(mm / 25.4)} inches) away from the screen.`,
  distanceIsRight: "Yes, continue",
  measureAgain: "Measure again",
  implausibleTitle: "That did not work",
  implausible:
    "The measured distance cannot be right. Please try again: look at the black square all the time, with the right eye covered, and press the space bar as soon as the ball disappears.",
  continueWithoutMeasuring: "Continue without measuring",

  howToStart: "Each image appears once you click on the cross in the centre.",
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
  image: "Image",
  shapes: { circle: "Circle", triangle: "Triangle" } satisfies Record<Shape, string>,
  choices: "Choose one",
  choiceWithKey: (name: string, key: string) => `${name}, key ${key.toUpperCase()}`,
  correct: "Correct",
  incorrect: "Incorrect",
  tooLate: "Too late",
  next: "Press space or click here to continue",

  sendingTitle: "One moment",
  sending: (nUnsent: number) => `Sending your answers: ${nUnsent} left…`,
  sendingPatience: "Please leave this page open until this is done.",

  doneTitle: "Thank you",
  score: ({ accuracy, n_trials }: Result) =>
    `You chose the right category for ${percent(accuracy)} of ${n_trials} ${n_trials === 1 ? "image" : "images"}.`,
  bonus: ({ bonus_usd }: Result) => `Your bonus: $${bonus_usd.toFixed(2)}.`,
  done: "We have received all of your answers.",
  screenedOut: "This part was a short screening, and the study ends here for you. Thank you for taking part.",
  close: "You may close this page.",
  abandonedTitle: "This study cannot be continued",
  abandoned: [
    "You left before the end, or too long ago, and this study does not allow you to resume. The answers that you gave are stored.",
    "If you came from a recruiting platform, please return your place there.",
  ],
  emailLabel: "If you like, leave your e-mail address (optional)",
  emailSend: "Send",
  emailStoredApart: "We store it separately from your answers.",
  emailStored: (email: string) => `Thank you. We have stored ${email} separately from your answers.`,
  emailInvalid: "This is not a complete e-mail address. It looks like name@example.org.",
  emailNotSent: "We could not send the address. Please try again.",
  submitTask: "One step is left: submit your work.",
  submit: "Submit to Mechanical Turk",
  enterCode: "Please enter this code on the platform where you found the study:",
  returnToPlatform: "Return to the platform",

  previewTitle: "This is a preview",
  preview: [
    "The address of this page names no participant, so no session was started and nothing is stored.",
    "To take part, please use the full link that you were given.",
  ],
  previewForResearchers: "To try the study yourself, add this to the address:",

  acceptToBegin: "This is a preview. Accept the task to begin.",

  incompleteTitle: "This link is not complete",
  incomplete: (parameter: string) =>
    `The address of this page lacks a valid ${parameter}. Please open the study again with the full link that you were given.`,
  openedElsewhereTitle: "Opened in another window",
  openedElsewhere:
    "This study has been opened again in another window or tab, so it continues there. Nothing is lost. You may close this one.",
  continueHere: "Continue here instead",
  stimulusTitle: "An image could not be loaded",
  stimulus: (url: string) =>
    `The study cannot continue without it: ${url}. Your answers so far are saved. Please check your connection and try again.`,
  missingTitle: "Some answers are missing",
  missing: (count: number) =>
    `The server lacks ${count} of your answers, and this page no longer has them. Please tell the researchers.`,
  refusedTitle: "The study cannot continue",
  unexpectedTitle: "Something went wrong",
  unexpected: "Your answers so far are saved. Please try again; you continue where you stopped.",
  tryAgain: "Try again",
} as const;
