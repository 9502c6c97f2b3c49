// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { PageSettings } from "../../src/contract";
import { FullScreen } from "../../src/screen/full-screen";
import { introduce, setUpScreen } from "../../src/screen/preparation";
import type { ScreenScale } from "../../src/screen/screen-scale";
import { SessionMemory } from "../../src/session/session-memory";
import { strings } from "../../src/strings";
import { aTrial } from "../fixtures";

const view = document.createElement("main");
const scale: ScreenScale = { px_per_degree: 38.5, viewing_distance_mm: 570 };
/** What was done, in order. */
const log: string[] = [];
const measured: (ScreenScale | null)[] = [];

vi.mock("../../src/screen/screen-calibration", () => ({
  calibrateScreen: async () => {
    log.push("calibration");
    return measured.shift();
  },
}));

beforeEach(() => {
  document.body.replaceChildren(view);
  sessionStorage.clear();
  log.length = measured.length = 0;
});

afterEach(() => {
  vi.restoreAllMocks();
});

describe("before the trials", () => {
  const press = (testId: string) => view.querySelector<HTMLElement>(`[data-testid="${testId}"]`)?.click();

  test("who begins reads the study's instructions and how to answer", async () => {
    const introduced = introduce(view, "<p>Find the moth</p>", aTrial({ show_fixation: true }), 30);
    expect(view.textContent).toContain("Find the moth");
    expect(view.textContent).toContain(strings.howToStart);
    press("start");
    await introduced;
  });

  test("a returning participant sees where the study resumes", async () => {
    const introduced = introduce(view, "<p>Find the moth</p>", aTrial({ index: 7 }), 30);
    expect(view.textContent).toContain(strings.welcomeBack(8, 30));
    expect(view.textContent).not.toContain("Find the moth");
    press("continue");
    await introduced;
  });
});

describe("the screen", () => {
  const request = { platform: "inperson", assignment_id: "a", worker_id: null, study_id: null, trialset_id: null };

  function setUp(changes: Partial<PageSettings>): Promise<ScreenScale | null> {
    const fullScreen = new FullScreen();
    vi.spyOn(fullScreen, "enter").mockImplementation(async () => {
      log.push("full screen");
    });
    const none = { consent: null, task: null, test: null, done: null, screened_out: null };
    const page = {
      desktop_only: true,
      min_window_px: 600,
      calibrate_screen: false,
      full_screen: false,
      ask_email: false,
      ...changes,
    };
    const study = { study_id: "s", title: "Study", pages: none, screening_block: null, page };
    return setUpScreen(view, study, fullScreen, new SessionMemory("s", request));
  }

  test("is left alone unless the study says otherwise", async () => {
    expect(await setUp({})).toBeNull();
    expect(log).toEqual([]);
  });

  test("is filled before it is measured", async () => {
    measured.push(scale);
    expect(await setUp({ calibrate_screen: true, full_screen: true })).toEqual(scale);
    expect(log).toEqual(["full screen", "calibration"]);
  });

  test("is not measured again after a reload, but filled", async () => {
    measured.push(scale);
    await setUp({ calibrate_screen: true, full_screen: true });
    log.length = 0;
    expect(await setUp({ calibrate_screen: true, full_screen: true })).toEqual(scale);
    expect(log).toEqual(["full screen"]);
  });

  test("may be measured after a reload by who went on without", async () => {
    measured.push(null, scale);
    expect(await setUp({ calibrate_screen: true })).toBeNull();
    expect(await setUp({ calibrate_screen: true })).toEqual(scale);
  });

  test("of a phone is not measured", async () => {
    vi.spyOn(navigator, "userAgent", "get").mockReturnValue("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)");
    expect(await setUp({ calibrate_screen: true, desktop_only: false })).toBeNull();
    expect(log).toEqual([]);
  });
});
