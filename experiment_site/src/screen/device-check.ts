// Whether the participant sits at a computer: a phone or a tablet shows pictures too small and has no keys.

export interface Device {
  readonly userAgent: string;
  readonly maxTouchPoints: number;
  /** What Chromium says of itself besides; other browsers say nothing. */
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
  const isTouched = device.maxTouchPoints > 1;
  return (
    device.userAgentData?.mobile === true ||
    /Android|iPhone|iPad|iPod|Mobile|Tablet|Silk|Kindle/i.test(device.userAgent) ||
    // iPads call themselves Macintosh; no Macintosh has a touch screen.
    (isTouched && device.userAgent.includes("Macintosh")) ||
    // Tablets that ask for the desktop's page call themselves Linux or Windows.
    (isTouched && !device.hasFinePointer)
  );
}
