import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { programOf } from "../../cli/program.ts";
import type { OutcomeEvent } from "../../shared/run/run.ts";
import { describeEvent, RULES } from "../../shared/events/notify/message-rules.ts";
import { MONITORING } from "../support/alerts.ts";

const RUN = `restore-${"0".repeat(24)}`;
const NAME = "2026-11-28/hets2026-11-28-01-00.bak";
const IN_PLACE = { body: { filename: NAME, strategy: "in-place" } };
const SWAP = { body: { undo: RUN } };
const FAILED = [{ database: "hets", problem: { code: "disk_full", message: "full" } }];
/** What any event may have. */
const DATA = { run: RUN, database: "hets", place: "volume", blockers: [], vanished: ["hets"] };

/** What the message says to type, without the namespace. */
function offered(type: string, data: object): string[] {
  const event = { type, subject: NAME, data: { ...DATA, ...data } } as OutcomeEvent;
  const { lines } = describeEvent(event, [type]) ?? assert.fail(type);
  return lines.flatMap((line) => /^Command: kubectl dormouse (.*)$/.exec(line)?.[1] ?? []);
}

/** Throws what the program says to words that it does not understand; nothing is done. */
async function understand(command: string): Promise<void> {
  const program = programOf("dormouse", "0", async () => undefined);
  for (const each of [program, ...program.commands])
    each.exitOverride().configureOutput({ writeErr: () => undefined });
  await program.parseAsync(command.split(" "), { from: "user" });
}

describe("a command that is sent to people", () => {
  for (const type of Object.keys(RULES))
    it(`is one of the program's: ${type}`, async () => {
      const more = [{}, { failed: FAILED }, { undo: SWAP }, { undo: IN_PLACE }];
      for (const command of more.flatMap((data) => offered(type, data))) await understand(command);
    });

  it("is one of the program's, in each alert", async () => {
    const rules = await readFile(join(MONITORING, "rules.yaml"), "utf8");
    const commands = [...rules.matchAll(/kubectl dormouse (.*)$/gm)].map(([, command = ""]) => command);

    assert.ok(commands.length > 5);
    for (const command of commands)
      for (const name of ["backup", "cull", "restore"])
        await understand(
          command.replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, (_, label) =>
            label === "function" ? name : "hets",
          ),
        );
  });

  it("takes back what that restore did: the database that it kept, or by its safety backup", () => {
    const completed = "dev.dormouse.restore.completed";

    assert.deepEqual(offered(completed, { undo: SWAP }), [`undo ${RUN}`]);
    assert.deepEqual(offered(completed, { undo: IN_PLACE }), [`restore ${NAME} --in-place`]);
  });

  it("names the database, of which there may be several", () => {
    assert.deepEqual(offered("dev.dormouse.rehearsal.stale", {}), ["rehearse latest --database hets"]);
  });
});
