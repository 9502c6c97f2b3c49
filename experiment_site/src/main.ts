// The participant's way through a study: link, entry, session, instructions, trials, screening, thanks. What each step
// does is its module's.

import { fetchStudy, mayPass, startSession } from "./api";
import { persistently } from "./back-off";
import { type Connection, openConnection } from "./connection";
import type { StartedSession, StudyPage } from "./contract";
import { showEnd } from "./end-page";
import { comesIn } from "./entry";
import { reportFailure, showFailure } from "./failures";
import { finishSession } from "./finish";
import { browserFrames, measureFrameInterval } from "./frames";
import { FullScreen } from "./full-screen";
import { Icons } from "./icons";
import { parseLink, randomId } from "./link";
import * as pages from "./pages";
import { introduce, setUpScreen } from "./preparation";
import { passesScreening } from "./screening";
import { SessionMemory } from "./session-memory";
import { Stimuli } from "./stimuli";
import { strings } from "./strings";
import { SurroundingsWatch } from "./surroundings";
import { expandTrials, firstBlocks, iconUrls, remainingTrials, stimulusUrls } from "./trial-list";
import { runTrials } from "./trial-run";
import { WindowSize } from "./window-size";

/**
 * Blocks whose pictures are here before the first trial: the second is the store that lasts while the network pauses. A
 * block takes a participant some minutes.
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
  if (!(await comesIn(view, study, memory))) {
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
    const leaveEmail = study.page.ask_email ? (email: string) => api.leaveEmail(email) : null;
    showEnd(view, { result, texts: study.pages, request: link.request, submitTo: link.submitTo, leaveEmail });
  } catch (error) {
    reportFailure(error, problems);
    throw error;
  } finally {
    connection.close();
  }
}

function connect<T>(view: HTMLElement, ask: () => Promise<T>): Promise<T> {
  const onFailure = pages.showConnecting(view);
  return persistently(ask, { mayPass, onFailure });
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
    problems.pictureMissing(message, remaining.find((trial) => trial.stimulus_url === url)?.index);
  icons.onMissing = (message) => problems.pictureMissing(message, first.index);
  const loading = Promise.all([stimuli.load(), icons.load()]); // while the participant reads
  loading.catch(() => {}); // told below, where it is awaited
  await introduce(view, study.pages.task, first, trials.length);
  const fullScreen = new FullScreen();
  const scale = await setUpScreen(view, study, fullScreen, memory);
  await finishLoading(view, [stimuli, icons], loading);
  pages.showGettingReady(view);
  const frameInterval = await measureFrameInterval(browserFrames);
  const surroundings = new SurroundingsWatch(scale);
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
    onTrial: (index) => problems.noteTrial(index),
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
