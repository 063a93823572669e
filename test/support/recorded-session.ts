import { stripVTControlCharacters } from "node:util";
import { startFakeNamespace } from "./fake-namespace.ts";
import { inTerminal } from "./program.ts";
import { startRestoreCluster } from "./restore-cluster.ts";
import { setRestoreStage } from "./restore-stage.ts";

const COMMAND = "$ kubectl dormouse -n hets restore";

/** A restore of a rehearsed backup with two workloads, as a person in front of a terminal sees it at its end. */
export async function recordSession(): Promise<string> {
  await using stage = await setRestoreStage();
  await using cluster = await startRestoreCluster();
  // As docs/roles.md makes it.
  const role = `restorer_${stage.owner}`;
  await stage.query(
    "postgres",
    `CREATE ROLE ${role} LOGIN CREATEDB PASSWORD '${role}'; GRANT ${stage.owner} TO ${role}`,
  );
  await using roles = new AsyncDisposableStack();
  roles.defer(async () => void (await stage.query("postgres", `DROP ROLE ${role}`)));
  const login = { POSTGRESQL_USER: role, POSTGRESQL_PASSWORD: role };
  const restore = await stage.start({ ...cluster.environment, ...login });
  await using namespace = await startFakeNamespace({ restore: restore.url });
  await stage.readResult(restore.post({ filename: "latest", into: "scratch" }));
  await stage.destroyData();
  await using terminal = inTerminal(["restore"], namespace.env);
  await terminal.shows("Type the name of the database");
  terminal.type(`${stage.database}\r`);
  if ((await terminal.ended) !== 0) throw new Error(terminal.screen());
  const text = linesOf(terminal.screen()).join("\n").replaceAll(" dormouse -n", " kubectl dormouse -n");
  return `${COMMAND}\n${text.replaceAll(stage.database, "hets")}`;
}

/** What stays on the screen: of a line that was drawn again the last, and of the question what was asked and typed. */
function linesOf(screen: string): readonly string[] {
  const lines = screen
    .split("\r\n")
    .map((line) => stripVTControlCharacters(line.split("\r\u001B[K").at(-1) ?? "").trimEnd());
  const asked = lines.findIndex((line) => line.includes("Type the name of the database"));
  const answered = lines.findIndex((line) => line.startsWith("run restore-"));
  const [, question = ""] = /(Type the name .*)$/.exec(lines[asked] ?? "") ?? [];
  const typed = question.split(": ").at(-1) ?? "";
  const before = lines.slice(0, asked).filter((line) => !/^[│◇◆]/.test(line));
  return (
    [...before, question, typed, ...lines.slice(answered)]
      // Of the machine that records it: its client tools may lack security fixes.
      .filter((line) => line !== "" && !/^ +warning +client tools /.test(line))
      .map((line) => line.replace("planned, with 1 warning", "planned, with 0 warnings"))
  );
}

/** What of a session does not depend on when and how fast it was. */
export function shapeOf(session: string): readonly string[] {
  return (
    session
      .replaceAll(/restore-[0-9a-f]{24}/g, "RUN")
      .replaceAll(/\d[\d.,:-]*(?: (?:ms|s|min|h|d|KiB|MiB)\b)?/g, "#")
      .split("\n")
      // Of a function that took long to answer.
      .filter((line) => !/^waking the function|is awake, after/.test(line))
      // Workloads stop and become ready in any order.
      .toSorted()
  );
}
