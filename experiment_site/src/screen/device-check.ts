// Whether the participant uses a computer: phones and tablets show images too small and have no keys.

export interface Device {
  readonly userAgent: string;
  readonly maxTouchPoints: number;
  /** Chromium only. */
  readonly userAgentData?: { readonly mobile: boolean };
  /** Whether it has a mouse, a touchpad or a pen. */
  readonly hasFinePointer: boolean;
}

export function thisDevice(): Device {
  const { userAgent, maxTouchPoints, userAgentData } = navigator as Navigator & Pick<Device, "userAgentData">;
  const hasFinePointer = window.matchMedia("(any-pointer: fine)").matches;
  return { userAgent, maxTouchPoints, hasFinePointer, ...(userAgentData === undefined ? {} : { userAgentData }) };
}

/** Whether it is a phone or a tablet. */
export function isHandheld(device: Device): boolean {
  const hasTouch = device.maxTouchPoints > 1;
  return (
    device.userAgentData?.mobile === true ||
    /Android|iPhone|iPad|iPod|Mobile|Tablet|Silk|Kindle/i.test(device.userAgent) ||
    // iPads identify as Macintosh; no Macintosh has a touch screen.
    (hasTouch && device.userAgent.includes("Macintosh")) ||
    // Tablets in desktop mode identify as Linux or Windows.
    (hasTouch && !device.hasFinePointer)
  );
}
