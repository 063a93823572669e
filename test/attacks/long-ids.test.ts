import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readEvent } from "../../shared/http/cloud-event.ts";

const GOOD = { specversion: "1.0", id: "1", source: "/daily", type: "dev.knative.sources.ping" };
const LIMIT = 255;

/** Each id is kept in a record, and all records are read for each new run. */
describe("an event whose names fill the memory", () => {
  for (const name of ["id", "source", "type"] as const) {
    for (const [what, letter] of [
      ["letters", "x"],
      ["bytes, in fewer letters", "é"],
    ] as const) {
      it(`is refused for more ${what} in its ${name} than ${LIMIT}, in both modes`, () => {
        const count = Math.floor(LIMIT / Buffer.byteLength(letter));
        const read = (length: number, mode: "binary" | "structured") => {
          const event = { ...GOOD, [name]: letter.repeat(length) };
          return mode === "structured"
            ? readEvent({ "content-type": "application/cloudevents+json" }, JSON.stringify(event))
            : readEvent(binary(event), "");
        };

        for (const mode of ["binary", "structured"] as const) {
          assert.equal(read(count, mode)[name], letter.repeat(count));
          assert.throws(() => read(count + 1, mode), {
            code: "event_invalid",
            message: new RegExp(`${name}: .*${LIMIT} bytes`),
          });
        }
      });
    }
  }
});

function binary(event: Readonly<Record<string, string>>) {
  return Object.fromEntries(Object.entries(event).map(([key, value]) => [`ce-${key}`, value]));
}
