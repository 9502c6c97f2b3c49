// The shapes that the page draws itself: circle and triangle of the calibration trials, tick and cross of the feedback,
// plus of the fixation.

import type { Shape } from "../contract";

const SVG = "http://www.w3.org/2000/svg";

const PATHS = {
  circle: "M50 12a38 38 0 1 0 0 76a38 38 0 1 0 0-76z",
  triangle: "M50 12L91 84H9z",
  tick: "M20 54l20 20 40-46",
  cross: "M26 26l48 48M74 26l-48 48",
  plus: "M50 0v100M0 50h100",
} as const;

/** An SVG of 100 by 100 units; its colours come from the style sheet. Hidden from screen readers: say it in words. */
export function drawing(name: keyof typeof PATHS): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 100 100");
  svg.setAttribute("class", `drawing ${name}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** The outline of a shape on a canvas, filling a square of side `size` at the origin. */
export function shapeOutline(shape: Shape, size: number): Path2D {
  const outline = new Path2D();
  outline.addPath(new Path2D(PATHS[shape]), new DOMMatrix().scale(size / 100));
  return outline;
}
