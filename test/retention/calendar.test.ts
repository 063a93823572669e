import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { calendarIn } from "../../shared/retention/calendar.ts";

/** Instant, time zone, and the day, week, month and year that people there would name. */
const GOLDEN: readonly (readonly [at: string, zone: string, day: string, week: string])[] = [
  // ISO 8601: the week of the year's first Thursday is the first one
  ["2020-12-31T12:00:00Z", "UTC", "2020-12-31", "2020-W53"],
  ["2021-01-03T23:59:59Z", "UTC", "2021-01-03", "2020-W53"],
  ["2021-01-04T00:00:00Z", "UTC", "2021-01-04", "2021-W01"],
  ["2026-12-28T00:00:00Z", "UTC", "2026-12-28", "2026-W53"],
  ["2027-01-03T23:59:59Z", "UTC", "2027-01-03", "2026-W53"],
  ["2027-01-04T00:00:00Z", "UTC", "2027-01-04", "2027-W01"],
  ["2024-12-30T00:00:00Z", "UTC", "2024-12-30", "2025-W01"],
  ["2022-01-01T00:00:00Z", "UTC", "2022-01-01", "2021-W52"],
  ["2026-11-22T01:00:00Z", "UTC", "2026-11-22", "2026-W47"],
  // leap days, and years without
  ["2024-02-29T23:59:59Z", "UTC", "2024-02-29", "2024-W09"],
  ["2024-03-01T00:00:00Z", "UTC", "2024-03-01", "2024-W09"],
  ["2100-02-28T23:59:59Z", "UTC", "2100-02-28", "2100-W08"],
  ["2100-03-01T00:00:00Z", "UTC", "2100-03-01", "2100-W09"],
  // the night that has 25 hours: 01:30 comes twice, and both are of one day
  ["2025-11-02T08:30:00Z", "America/Vancouver", "2025-11-02", "2025-W44"],
  ["2025-11-02T09:30:00Z", "America/Vancouver", "2025-11-02", "2025-W44"],
  ["2025-11-02T06:59:59Z", "America/Vancouver", "2025-11-01", "2025-W44"],
  ["2025-11-02T07:00:00Z", "America/Vancouver", "2025-11-02", "2025-W44"],
  ["2025-11-03T08:00:00Z", "America/Vancouver", "2025-11-03", "2025-W45"],
  // the night that has 23: 02:30 does not come at all
  ["2026-03-29T00:59:59Z", "Europe/Berlin", "2026-03-29", "2026-W13"],
  ["2026-03-29T01:00:00Z", "Europe/Berlin", "2026-03-29", "2026-W13"],
  ["2026-03-29T21:59:59Z", "Europe/Berlin", "2026-03-29", "2026-W13"],
  ["2026-03-29T22:00:00Z", "Europe/Berlin", "2026-03-30", "2026-W14"],
  // far from Greenwich the same instant has other dates, and another year
  ["2026-12-31T23:30:00Z", "Pacific/Kiritimati", "2027-01-01", "2026-W53"],
  ["2027-01-01T00:30:00Z", "Pacific/Pago_Pago", "2026-12-31", "2026-W53"],
  ["2026-11-22T18:20:00Z", "Asia/Kathmandu", "2026-11-23", "2026-W48"],
];

describe("calendarIn", () => {
  for (const [at, zone, day, week] of GOLDEN) {
    it(`puts ${at} in ${zone} into ${day} and ${week}`, () => {
      const periods = calendarIn(zone)(new Date(at));

      assert.deepEqual(periods, { day, week, month: day.slice(0, 7), year: day.slice(0, 4) });
    });
  }
});
