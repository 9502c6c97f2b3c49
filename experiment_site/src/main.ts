// The participant's way through a study: link, eligibility, session, instructions, trials, screening, thanks.

import type { StartedSession, StudyPage } from "./contract";
import { showEnd } from "./pages/end-page";
import { reportFailure, showFailure } from "./pages/failures";
import * as pages from "./pages/pages";
import { DisplayLog } from "./screen/display-log";
import { FullScreen } from "./screen/full-screen";
import { introduce, setUpScreen } from "./screen/preparation";
import { WindowSize } from "./screen/window-size";
import { fetchStudy, isTransient, startSession } from "./session/api";
import { finishSession, passesScreening } from "./session/await-upload";
import { retry } from "./session/back-off";
import { type Connection, openConnection } from "./session/connection";
import { isEligible } from "./session/eligibility";
import { parseLink, randomId } from "./session/link";
import { SessionMemory } from "./session/session-memory";
import { strings } from "./strings";
import { browserFrames, measureFrameInterval } from "./trial/frames";
import { Icons } from "./trial/icons";
import { Stimuli } from "./trial/stimuli";
import { expandTrials, firstBlocks, iconUrls, remainingTrials, stimulusUrls } from "./trial/trial-list";
import { runTrials } from "./trial/trial-run";

/**
 * Blocks whose images are loaded before the first trial: the second is a buffer for network outages. A block takes some
 * minutes.
 */
const BLOCKS_AT_ONCE = 2;

async function participate(view: HTMLElement): Promise<void> {
  const link = parseLink(window.location.search, randomId);
  if (link.kind === "preview") {
    pages.showPreview(view);
    return;
  }
  if (link.kind === "incomplete") {
    void pages.showError(view, strings.incompleteTitle, strings.incomplete(link.parameter));
    return;
  }
  const study = await connect(view, fetchStudy);
  document.title = study.title;
  if (link.kind === "not_accepted") {
    pages.showTaskPreview(view, study.title, study.pages.consent);
    return;
  }
  window.history.replaceState(null, "", link.search);
  const memory = new SessionMemory(study.study_id, link.request);
  if (!(await isEligible(view, study, memory))) {
    return;
  }

  const session = await connect(view, () => startSession(link.request));
  const connection = await openConnection(session, link.request);
  const { api, queue, problems, refused } = connection;
  try {
    if (session.state === "started") {
      await Promise.race([showTrials(view, study, session, memory, connection), refused]);
    }
    const result = await Promise.race([finishSession(view, api, queue), refused]);
    const submitEmail = study.page.ask_email ? (email: string) => api.submitEmail(email) : null;
    showEnd(view, { result, texts: study.pages, request: link.request, submitTo: link.submitTo, submitEmail });
  } catch (error) {
    reportFailure(error, problems);
    throw error;
  } finally {
    connection.close();
  }
}

function connect<T>(view: HTMLElement, ask: () => Promise<T>): Promise<T> {
  const onFailure = pages.showConnecting(view);
  return retry(ask, { isTransient, onFailure });
}

async function showTrials(
  view: HTMLElement,
  study: StudyPage,
  session: StartedSession,
  memory: SessionMemory,
  { api, queue, problems }: Connection,
): Promise<void> {
  const trials = expandTrials(session.trialset);
  const remaining = remainingTrials(trials, session.next_trial, queue.waiting);
  const [first] = remaining;
  if (first === undefined) {
    return;
  }
  const stimuli = new Stimuli(stimulusUrls(remaining), stimulusUrls(firstBlocks(remaining, BLOCKS_AT_ONCE)).length);
  const icons = new Icons(iconUrls(remaining));
  stimuli.onMissing = ({ url, message }) =>
    problems.imageMissing(message, remaining.find((trial) => trial.stimulus_url === url)?.index);
  icons.onMissing = (message) => problems.imageMissing(message, first.index);
  const loading = Promise.all([stimuli.load(), icons.load()]); // while the participant reads
  loading.catch(() => {}); // reported below, where it is awaited
  await introduce(view, study.pages.task, first, trials.length);
  const fullScreen = new FullScreen();
  const scale = await setUpScreen(view, study, fullScreen, memory);
  await finishLoading(view, [stimuli, icons], loading);
  pages.showGettingReady(view);
  const frameInterval = await measureFrameInterval(browserFrames);
  const surroundings = new DisplayLog(scale);
  await runTrials(view, {
    trials,
    remaining,
    testInstructions: study.pages.test,
    screeningBlock: study.screening_block,
    passesScreening: (display) => passesScreening(display, api, queue),
    stimuli,
    icons,
    requirements: [...(study.page.full_screen ? [fullScreen] : []), new WindowSize(study.page.min_window_px)],
    pxPerDegree: scale?.px_per_degree ?? null,
    surroundings: () => surroundings.take(),
    frameInterval,
    onTrial: (index) => problems.setTrial(index),
    onAnswer: (response) => void queue.add(response),
  });
  await fullScreen.leave();
}

async function finishLoading(
  view: HTMLElement,
  parts: readonly (Stimuli | Icons)[],
  loading: Promise<unknown>,
): Promise<void> {
  const sum = (count: "done" | "total") => parts.reduce((total, part) => total + part.progress[count], 0);
  if (sum("done") < sum("total")) {
    const show = pages.showLoading(view);
    const update = () => show(sum("done"), sum("total"));
    for (const part of parts) {
      part.onProgress = update;
    }
    update();
  }
  await loading;
}

const view = document.querySelector<HTMLElement>("#view");
if (view !== null) {
  participate(view).catch((error: unknown) => showFailure(view, error));
}
