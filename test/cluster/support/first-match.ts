import type { Readable } from "node:stream";

/** Of what a process prints, when it has printed that. */
export function firstMatch(stream: Readable, pattern: RegExp): Promise<RegExpExecArray> {
  let said = "";
  return new Promise((resolve, reject) => {
    stream.setEncoding("utf8").on("data", (part: string) => {
      said += part;
      const found = pattern.exec(said);
      if (found !== null) resolve(found);
    });
    stream.once("end", () => reject(new Error(`it ended without ${String(pattern)}: ${said}`)));
  });
}
