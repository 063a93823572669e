// Loaded into a function's process with --import: its clock is off by DORMOUSE_TEST_CLOCK_OFFSET_MS.
const RealDate = Date;
const offsetMs = Number(process.env["DORMOUSE_TEST_CLOCK_OFFSET_MS"]);

globalThis.Date = class extends RealDate {
  constructor(...args: [] | [number | string]) {
    if (args.length === 0) super(RealDate.now() + offsetMs);
    else super(args[0]);
  }

  static override now(): number {
    return RealDate.now() + offsetMs;
  }
} as DateConstructor;
