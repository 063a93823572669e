import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { aManifest } from "../support/backups.ts";
import { dormouse, inTerminal } from "../support/program.ts";

/** Sets the title, hides and clears, by 7 and by 8 bits; turns the direction of writing; begins a line of its own. */
const HOSTILE = "\u001B]0;title\u0007\u001B[8m\u009B2J\u202E\u{E0041}\u007F\nhets: all is well";
const OBEYED = /(?!\n)[\p{Cc}\p{Cf}]/u;
const FORGED_LINE = /^hets: all is well/m;

const AT = "2026-11-22T01:00:00.000Z";
const RUN = `restore-${"a".repeat(24)}`;
const problem = { code: "dump_failed", message: HOSTILE, hint: HOSTILE };
const content = { ...aManifest().content, tables: [{ schema: HOSTILE, name: HOSTILE, rows: 2 }] };
const manifest = (changes: object) => ({
  ...aManifest(),
  database: HOSTILE,
  label: HOSTILE,
  warnings: [HOSTILE],
  excluded: { by: "request", patterns: [], tables: [{ schema: HOSTILE, name: HOSTILE, bytes: 1 }] },
  verification: { level: HOSTILE, at: AT, failed: { run: RUN, code: "x", message: HOSTILE } },
  pin: { at: AT, by: HOSTILE, reason: HOSTILE },
  ...changes,
});
const backup = (name: string, changes: object) => ({
  name,
  database: HOSTILE,
  startedAt: AT,
  finishedAt: AT,
  sizeBytes: 1,
  sequence: 1,
  manifest: manifest({ name, ...changes }),
  places: [HOSTILE],
  suspicion: { detail: HOSTILE, against: HOSTILE },
});
const NEWER = `2026-11-22/${HOSTILE}.bak`;
const run = {
  id: RUN,
  kind: "restore",
  state: "failed",
  database: HOSTILE,
  request: { strategy: HOSTILE },
  attempt: 1,
  acceptedAt: AT,
  finishedAt: AT,
  steps: ["dumped", "published", "started", "retrying", "failed", HOSTILE].map((step) => ({
    step,
    at: AT,
    detail: { backup: HOSTILE, workload: HOSTILE, why: HOSTILE, error: HOSTILE, [HOSTILE]: HOSTILE },
  })),
  problem,
};
const plan = {
  strategy: "swap",
  database: "hets",
  target: HOSTILE,
  backup: { name: NEWER, startedAt: AT, sizeBytes: 1, format: "custom", rows: 1, verification: HOSTILE },
  server: { serverVersion: HOSTILE, databaseBytes: 1, sessions: 1 },
  workloads: [{ workload: HOSTILE, replicas: 1 }],
  missingRoles: [],
  steps: [HOSTILE],
  downtime: HOSTILE,
  blockers: [] as object[],
  warnings: [HOSTILE],
};
const restored = {
  run: RUN,
  strategy: "swap",
  workloads: [{ workload: HOSTILE, replicas: 1, ready: false, why: HOSTILE }],
  compared: { rows: 1, tables: 1, by: "values", onlyCounted: [HOSTILE] },
  undo: { body: { filename: NEWER }, until: HOSTILE },
  warnings: [HOSTILE],
};
const culled = {
  dryRun: false,
  removed: [],
  bytesFreed: 0,
  databases: [
    {
      database: HOSTILE,
      keep: [],
      remove: [{ name: HOSTILE, sizeBytes: 1, reason: HOSTILE }],
      refusal: { detail: HOSTILE },
    },
  ],
};
const READ: Readonly<Record<string, unknown>> = {
  "/": {
    backups: [backup(NEWER, { content }), backup("2026-11-21/older.bak", {})],
    legacy: [],
    foreign: [],
    undo: [{ run: HOSTILE, database: HOSTILE, until: AT }],
    bucketProblem: problem,
  },
  "/runs": {
    runs: [
      { ...run, id: HOSTILE },
      { ...run, kind: "backup", acceptedAt: "2026-11-23T01:00:00Z" },
    ],
  },
  [`/runs/${RUN}`]: run,
  "/doctor": {
    healthy: false,
    findings: [
      { check: "backups", state: "fault", database: HOSTILE, detail: HOSTILE, fix: HOSTILE },
      { check: HOSTILE, state: "good", detail: HOSTILE },
    ],
  },
};

/** What stands behind the address of a function, or wrote what that reads. */
function answerTo(method: string, url: string, body: string): readonly unknown[] {
  if (method === "GET") return [READ[url] ?? problem];
  if (body.includes('"dryRun":true')) return [/"(?:filename|undo)"/.test(body) ? plan : culled];
  const result = body.includes("database") ? { databases: [{ database: HOSTILE, problem }] } : undefined;
  const taken = body.includes("label")
    ? manifest({ content })
    : body.includes("filename")
      ? restored
      : culled;
  return [
    { type: "run", run: HOSTILE },
    ...run.steps.map((step) => ({ type: "step", ...step })),
    { type: "step", step: "progress", at: HOSTILE, detail: { [HOSTILE]: HOSTILE, bytes: 1 } },
    body.includes("in-place")
      ? { type: "problem", ...problem, detail: HOSTILE }
      : { type: "result", result: result ?? taken },
  ];
}

describe("what a function says to `dormouse`, from names, labels and errors that others wrote", () => {
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => {
      const lines = answerTo(request.method ?? "", request.url ?? "", body);
      response.end(lines.map((line) => JSON.stringify(line)).join("\n"));
    });
  });
  let url = "";
  before(async () => {
    await once(server.listen(0, "127.0.0.1"), "listening");
    const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    url = `backup=${at},cull=${at},restore=${at}`;
  });
  after(() => server.close());

  const LINES = [
    ["status"],
    ["list"],
    ["diff", "latest"],
    ["runs"],
    ["run", RUN],
    ["run", RUN, "--follow"],
    ["doctor"],
    ["backup", "--label", "x"],
    ["backup", "--database", "x"],
    ["plan"],
    ["restore", "--yes", "hets"],
    ["restore", "--yes", "hets", "--in-place"],
    ["rehearse"],
    ["undo"],
    ["cull"],
    ["cull", "--yes"],
    ["pin", HOSTILE],
  ] as const;
  for (const line of LINES)
    it(`is shown and not obeyed by the terminal: ${line.join(" ").replaceAll(HOSTILE, "a name")}`, async () => {
      for (const more of [[], ["--json"]]) {
        const { stdout, stderr } = await dormouse([...line, ...more, "--url", url]);

        assert.doesNotMatch(stdout + stderr, OBEYED);
        assert.doesNotMatch(stdout + stderr, FORGED_LINE);
        assert.doesNotMatch(stderr, /fault of the program/);
        assert.notEqual(stdout + stderr, "");
      }
    });

  it("nor in colours, where there is a terminal", async () => {
    await using terminal = inTerminal(["status", "--url", url]);

    await terminal.ended;
    const own = ["\r", ...[1, 2, 22, 31, 32, 33, 36, 39].map((code) => `\u001B[${code}m`)];

    assert.match(terminal.screen(), /The bucket does not answer: \\u001b\]0;title/);
    assert.doesNotMatch(
      own.reduce((screen, each) => screen.replaceAll(each, ""), terminal.screen()),
      OBEYED,
    );
  });
});
