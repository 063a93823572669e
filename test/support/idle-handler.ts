/** The part of a handler that takes every request for the database `hets` and reads nothing of it. */
export const idleHandler = {
  kind: "backup" as const,
  covers: (database: string) => database === "hets",
  databaseOf: () => "hets",
  parseBody: () => ({}),
  parseEvent: () => ({}),
  verbsOf: () => ["backup"] as const,
  work: async () => undefined,
  show: async () => ({}),
};
