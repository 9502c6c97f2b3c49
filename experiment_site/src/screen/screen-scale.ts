// The size of a degree of visual angle on this screen, measured or assumed.

export interface ScreenScale {
  /** CSS px */
  readonly px_per_degree: number;
  readonly viewing_distance_mm: number;
}

/** Nobody sits nearer or farther: a measurement outside is wrong. */
const NEAREST_MM = 200;
const FARTHEST_MM = 2_000;

export function isPlausible({ viewing_distance_mm }: ScreenScale): boolean {
  return viewing_distance_mm >= NEAREST_MM && viewing_distance_mm <= FARTHEST_MM;
}

/** Without a measurement, 6 degrees are assumed to be 17.5 % of the smaller side of the screen. */
export function assumedPxPerDegree(screenWidth: number, screenHeight: number): number {
  return (0.175 * Math.min(screenWidth, screenHeight)) / 6;
}
