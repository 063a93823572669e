// Loaded into a function's process with --import: its clock is off by DORMOUSE_TEST_CLOCK_OFFSET_MS, or by as much as
// the file says that DORMOUSE_TEST_CLOCK_FILE names, which is read again each time, as if that time had passed.
import { readFileSync } from "node:fs";

const RealDate = Date;
const fixedMs = Number(process.env["DORMOUSE_TEST_CLOCK_OFFSET_MS"]);
const file = process.env["DORMOUSE_TEST_CLOCK_FILE"];
const offsetMs = () => (file === undefined ? fixedMs : Number(readFileSync(file, "utf8")));

globalThis.Date = class extends RealDate {
  constructor(...args: [] | [number | string]) {
    if (args.length === 0) super(RealDate.now() + offsetMs());
    else super(args[0]);
  }

  static override now(): number {
    return RealDate.now() + offsetMs();
  }
} as DateConstructor;

if (file !== undefined) {
  const realNow = performance.now.bind(performance);
  performance.now = () => realNow() + offsetMs();
}
