// The participant's way through a study: link, session, instructions, trials, screening, thanks. What each step does
// is its module's.

import { answerKeys } from "./answer-keys";
import { AnswerQueue } from "./answer-queue";
import { openAnswerStore } from "./answer-store";
import { mayPass, SessionApi, startSession } from "./api";
import { persistently } from "./back-off";
import type { SessionRequest, StartedSession, Trial } from "./contract";
import { showFailure } from "./failures";
import { finishSession } from "./finish";
import { browserFrames, measureFrameInterval } from "./frames";
import { Icons } from "./icons";
import { parseLink, randomId } from "./link";
import * as pages from "./pages";
import { passesScreening } from "./screening";
import { Stimuli } from "./stimuli";
import { strings } from "./strings";
import { expandTrials, iconUrls, remainingTrials, stimulusUrls } from "./trial-list";
import { runTrials } from "./trial-run";

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
  window.history.replaceState(null, "", link.search);
  const session = await connect(view, link.request);
  document.title = session.study.title;

  const api = new SessionApi(session.token);
  const queue = await openQueue(session, link.request, api);
  const refused = queue.refused;
  if (session.state === "started") {
    await Promise.race([showTrials(view, session, api, queue), refused]);
  }
  const result = await Promise.race([finishSession(view, api, queue), refused]);
  pages.showEnd(view, result, session.study.pages, link.request.platform);
}

function connect(view: HTMLElement, request: SessionRequest): Promise<StartedSession> {
  const onFailure = pages.showConnecting(view);
  return persistently(() => startSession(request), { mayPass, onFailure });
}

async function openQueue(session: StartedSession, request: SessionRequest, api: SessionApi): Promise<AnswerQueue> {
  const store = await openAnswerStore({
    study_id: session.study.study_id,
    trialset_id: session.trialset.trialset_id,
    platform: request.platform,
    assignment_id: request.assignment_id,
  });
  const queue = await AnswerQueue.open({ store, send: (trials, keepalive) => api.sendTrials(trials, keepalive) });
  window.addEventListener("online", () => queue.hurry());
  window.addEventListener("pagehide", () => void queue.flush());
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") {
      void queue.flush();
    }
  });
  return queue;
}

async function showTrials(
  view: HTMLElement,
  session: StartedSession,
  api: SessionApi,
  queue: AnswerQueue,
): Promise<void> {
  const trials = expandTrials(session.trialset);
  const remaining = remainingTrials(trials, session.next_trial, queue.waiting);
  const [first] = remaining;
  if (first === undefined) {
    return;
  }
  const stimuli = new Stimuli(stimulusUrls(remaining));
  const icons = new Icons(iconUrls(remaining));
  const loading = Promise.all([stimuli.load(), icons.load()]); // while the participant reads
  loading.catch(() => {}); // told below, where it is awaited
  if (remaining.length === trials.length) {
    await introduce(view, session, first);
  } else {
    await pages.showWelcomeBack(view, first.index + 1, trials.length);
  }
  await finishLoading(view, [stimuli, icons], loading);
  pages.showGettingReady(view);
  const frameInterval = await measureFrameInterval(browserFrames);
  await runTrials(view, {
    trials,
    remaining,
    testInstructions: session.study.pages.test,
    screeningBlock: session.study.screening_block,
    passesScreening: (display) => passesScreening(display, api, queue),
    stimuli,
    icons,
    frameInterval,
    onAnswer: (response) => void queue.add(response),
  });
}

async function introduce(view: HTMLElement, session: StartedSession, first: Trial): Promise<void> {
  const { consent, task } = session.study.pages;
  if (consent !== null) {
    await pages.showConsent(view, consent);
  }
  const hints = [...(first.show_fixation ? [strings.howToBegin] : []), strings.howToAnswer(answerKeys(first))];
  await pages.showTask(view, task, hints.join(" "));
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
