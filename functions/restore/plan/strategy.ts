/**
 * - `swap`: load beside the live database, then swap the two
 * - `in-place`: replace what the live database holds, in one transaction
 * - `rehearse`: load into a scratch database, compare, drop it
 * - `beside`: load into a new database, which stays
 * - `undo`: swap the live database with the one that an earlier swap kept
 */
export const STRATEGIES = ["swap", "in-place", "rehearse", "beside", "undo"] as const;
export type Strategy = (typeof STRATEGIES)[number];

type Effects = {
  /** Restores a backup; what needs none takes back an earlier run. */
  readonly needsBackup: boolean;
  /** The role of the database that it makes and loads; absent where it makes none. */
  readonly loads?: "restore" | "scratch";
  /** Drops what it loaded as soon as that is compared. */
  readonly drops: boolean;
  /** Gives the live database's name to another one, and keeps the old one for an undo. */
  readonly swaps: boolean;
  /** Replaces what the live database holds, after a safety backup. */
  readonly replaces: boolean;
  /** Stops the workloads: what they use becomes another. */
  readonly stops: boolean;
};

const NONE = { needsBackup: true, drops: false, swaps: false, replaces: false, stops: false } as const;

/** What each strategy does. All that depends on the strategy asks here. */
export const EFFECTS: Readonly<Record<Strategy, Effects>> = {
  swap: { ...NONE, loads: "restore", swaps: true, stops: true },
  "in-place": { ...NONE, replaces: true, stops: true },
  rehearse: { ...NONE, loads: "scratch", drops: true },
  beside: { ...NONE, loads: "restore" },
  undo: { ...NONE, needsBackup: false, swaps: true, stops: true },
};

export function strategiesThat(have: (effects: Effects) => boolean): readonly Strategy[] {
  return STRATEGIES.filter((strategy) => have(EFFECTS[strategy]));
}

export const LOADING = strategiesThat(({ needsBackup }) => needsBackup);
export const LOADING_BESIDE = strategiesThat(({ loads }) => loads !== undefined);
export const SWAPPING = strategiesThat(({ swaps }) => swaps);
export const REPLACING = strategiesThat(({ replaces }) => replaces);
export const CHANGING_LIVE = strategiesThat(({ stops }) => stops);
