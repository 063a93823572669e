const PERIODS = ["day", "week", "month", "year"] as const;
export type Period = (typeof PERIODS)[number];

/** The name of the period that an instant lies in: `2026-11-22`, `2026-W47`, `2026-11`, `2026`. */
type Calendar = (at: Date) => Readonly<Record<Period, string>>;

const DAY_MS = 86_400_000;
const THURSDAY = 4;

/**
 * Days, ISO 8601 weeks, months and years as people count them in `timeZone`. A day may have 23 or 25 hours there: what
 * counts is the date that a clock on the wall shows.
 */
export function calendarIn(timeZone: string): Calendar {
  const format = new Intl.DateTimeFormat("en-US-u-ca-gregory-nu-latn", {
    timeZone,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
  });
  return (at) => {
    const [month = "", day = "", year = ""] = format.format(at).split("/");
    const date = `${year}-${month}-${day}`;
    return { day: date, week: isoWeek(date), month: `${year}-${month}`, year };
  };
}

/** A week belongs to the year that has its Thursday: 2027-01-01 lies in 2026-W53. */
function isoWeek(date: string): string {
  const at = Date.parse(`${date}T00:00:00Z`);
  const weekday = new Date(at).getUTCDay() || 7;
  const thursday = new Date(at + (THURSDAY - weekday) * DAY_MS);
  const year = thursday.getUTCFullYear();
  const days = (thursday.getTime() - Date.UTC(year, 0, 1)) / DAY_MS;
  return `${year}-W${`${Math.floor(days / 7) + 1}`.padStart(2, "0")}`;
}
