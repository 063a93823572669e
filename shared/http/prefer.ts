/** What a caller prefers (RFC 7240). */
export type Preference = {
  readonly respondAsync: boolean;
  /** How long the caller will wait, in milliseconds; `undefined` for as long as it takes. */
  readonly waitMs: number | undefined;
};

/** Unknown preferences are ignored, as the RFC asks. */
export function readPrefer(header: string | undefined): Preference {
  const preferences = (header ?? "").split(",").map((preference) => preference.trim().toLowerCase());
  const wait = preferences
    .map((preference) => /^wait\s*=\s*"?(\d{1,6})"?/.exec(preference)?.[1])
    .find(Boolean);
  return {
    respondAsync: preferences.includes("respond-async"),
    waitMs: wait === undefined ? undefined : Number(wait) * 1000,
  };
}
