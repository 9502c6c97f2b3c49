// Takes part in a study in Firefox: `node firefox.mjs EXECUTABLE URL`. Clicks and types like a person, reloads once, and
// prints as JSON what was answered and what the page complained of. Playwright drives only a Firefox of its own making;
// this drives the one that people have, by WebDriver BiDi.

import puppeteer from "puppeteer-core";

const RELOAD_AFTER = 5;
const PATIENCE_MSEC = 60_000;
/** What a participant presses when it is there; the later ones only show when the earlier ones are gone. */
const BUTTONS = ["consent-agree", "start", "continue", "test-start", "fixation", "next"];

const sleep = (msec) => new Promise((resolve) => setTimeout(resolve, msec));

const [executablePath, url] = process.argv.slice(2);
const browser = await puppeteer.launch({ browser: "firefox", executablePath, headless: true });
try {
  console.log(JSON.stringify(await takePart(await browser.newPage())));
} finally {
  await browser.close();
}

async function takePart(page) {
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.setViewport({ width: 1280, height: 900 });
  await page.goto(url);
  const answers = [];
  const giveUpAt = Date.now() + PATIENCE_MSEC;
  while ((await offered(page, ["done"])) === null) {
    if (Date.now() > giveUpAt) {
      throw new Error(
        `not done after ${PATIENCE_MSEC / 1000} s: ${await page.evaluate(() => document.body.innerText)}`,
      );
    }
    await sleep(10);
    const button = await offered(page, BUTTONS);
    if (button !== null) {
      await page.click(`[data-testid="${button}"]`).catch(() => {}); // it may have gone meanwhile
    } else if ((await offered(page, ["choice-0"])) !== null) {
      answers.push(await answer(page, answers.length));
      if (answers.length === RELOAD_AFTER) {
        await page.reload();
      }
    }
  }
  return { answers, complaints };
}

/** Answer the present trial: the last choice by mouse or the first by key, in turn. */
async function answer(page, number) {
  const trial = await page.evaluate(() => ({
    obs: Number(document.querySelector(".trial").dataset.trialIndex),
    n: document.querySelectorAll('[data-testid^="choice-"]').length,
  }));
  const i_choice = number % 2 === 0 ? trial.n - 1 : 0;
  // Quicker than any person, the first press may come before the choices are on the screen, and does not count then.
  for (let isOver = false; !isOver; isOver = await hasMovedOn(page, trial.obs)) {
    if (number % 2 === 0) {
      await page.click(`[data-testid="choice-${i_choice}"]`);
    } else {
      await page.keyboard.press("1");
    }
    await sleep(50);
  }
  return { obs: trial.obs, i_choice, response_device: number % 2 === 0 ? "mouse" : "key" };
}

function hasMovedOn(page, obs) {
  return page.evaluate((index) => {
    const shown = document.querySelector(".trial");
    return shown?.dataset.phase !== "choice" || Number(shown.dataset.trialIndex) !== index;
  }, obs);
}

/** The first of these that can be seen now, or null. */
function offered(page, testIds) {
  return page.evaluate((ids) => {
    const isSeen = (id) =>
      document.querySelector(`[data-testid="${id}"]`)?.checkVisibility({ visibilityProperty: true });
    return ids.find(isSeen) ?? null;
  }, testIds);
}
