import { describe, expect, test } from "vitest";
import { type Device, isHandheld } from "../../src/screen/device-check";

const device = (userAgent: string, changes: Partial<Device> = {}): Device => ({
  userAgent: `Mozilla/5.0 (${userAgent})`,
  maxTouchPoints: 0,
  hasFinePointer: true,
  ...changes,
});

const touched = { maxTouchPoints: 5, hasFinePointer: false };
const touchedToo = { maxTouchPoints: 10, hasFinePointer: true };

describe("a phone or a tablet is", () => {
  test.each([
    ["an iPhone", device("iPhone; CPU iPhone OS 18_0 like Mac OS X", touched)],
    ["an iPad, which calls itself a Macintosh", device("Macintosh; Intel Mac OS X 10_15_7", touched)],
    ["an iPad with a trackpad", device("Macintosh; Intel Mac OS X 10_15_7", { ...touched, hasFinePointer: true })],
    ["an Android phone", device("Linux; Android 10; K) Chrome/143.0.0.0 Mobile", touched)],
    ["an Android tablet", device("Android 15; Tablet; rv:145.0", touched)],
    ["an Android tablet that asks for the desktop's page", device("X11; Linux x86_64", touched)],
    ["what says that it is mobile", device("X11; Linux x86_64", { userAgentData: { mobile: true } })],
  ])("%s", (_, found) => {
    expect(isHandheld(found)).toBe(true);
  });
});

describe("a computer is", () => {
  test.each([
    ["Windows", device("Windows NT 10.0; Win64; x64")],
    ["Windows with a touch screen", device("Windows NT 10.0; Win64; x64", touchedToo)],
    ["a Macintosh", device("Macintosh; Intel Mac OS X 10_15_7")],
    ["Linux", device("X11; Linux x86_64", { userAgentData: { mobile: false } })],
    ["a Chromebook with a touch screen", device("X11; CrOS x86_64 14541.0.0", touchedToo)],
    ["Linux with a keyboard alone", device("X11; Linux x86_64", { hasFinePointer: false })],
  ])("%s", (_, found) => {
    expect(isHandheld(found)).toBe(false);
  });
});
