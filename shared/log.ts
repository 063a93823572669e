import { withoutUrlSecrets } from "./errors.ts";

type LogFields = Readonly<Record<string, unknown>>;

/** Messages are in the past tense (`backup published`); everything that varies stands in the fields. */
export type Log = {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log that adds `fields` to each line. */
  with(fields: LogFields): Log;
};

/** One JSON object a line, which is what log collectors on Kubernetes read. */
export function jsonLog(write: (line: string) => void, common: LogFields = {}): Log {
  const at =
    (level: string) =>
    (message: string, fields: LogFields = {}) =>
      write(
        `${withoutUrlSecrets(JSON.stringify({ time: new Date().toISOString(), level, message, ...common, ...fields }))}\n`,
      );
  return {
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    with: (fields) => jsonLog(write, { ...common, ...fields }),
  };
}
