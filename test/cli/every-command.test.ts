import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { programOf } from "../../cli/program.ts";
import { cullEnvironment } from "../support/culled.ts";
import { startFakeNamespace } from "../support/fake-namespace.ts";
import { backupEnvironment, startFunction } from "../support/function-process.ts";
import { dormouse, inTerminal } from "../support/program.ts";
import { setRestoreStage, type RestoreStage } from "../support/restore-stage.ts";

const CTRL_C = "\u0003";

type Row = {
  /** `NAME` stands for the backup, `DATABASE` for the database, `RUN` for a restore that has ended. */
  readonly args: string;
  /** Besides `args`, where there is no terminal to ask in. */
  readonly yes?: string;
  readonly shows: RegExp;
  /** What a person types once this is shown. */
  readonly asks?: readonly [shown: string, typed: string];
  /** How it ends when Ctrl-C finds a function silent, and what it asks before; otherwise by the signal. */
  readonly interrupted?: { readonly code: number; readonly asks?: Row["asks"] };
};

const LEFT = { code: 1 };
const LEAVING = ["leave it running", "\u001B[B\r"] as const;
const BY_SIGNAL: Row["interrupted"] = { code: 130 };
const NAMING = ["Type the name of the database", "DATABASE\r"] as const;
/** In an order in which each finds what it needs. */
const ROWS: Readonly<Record<string, Row>> = {
  backup: { args: "backup", shows: /proved by reading it to its end/, interrupted: LEFT },
  status: { args: "status", shows: /all is well/ },
  list: { args: "list", shows: /BACKUP .*PROOF/ },
  diff: { args: "diff latest", shows: /nothing changed/ },
  plan: { args: "plan NAME", shows: /downtime +some seconds/ },
  restore: { args: "restore NAME", yes: "--yes DATABASE", asks: NAMING, shows: /Restored: / },
  undo: { args: "undo", yes: "--yes DATABASE", asks: NAMING, shows: /Taken back/ },
  rehearse: { args: "rehearse", shows: /Rehearsed: /, interrupted: LEFT },
  pin: { args: "pin NAME --reason audit", shows: /pinned/ },
  unpin: { args: "unpin NAME", shows: /is not pinned any more/ },
  acknowledge: { args: "acknowledge NAME", shows: /acknowledged/ },
  cull: { args: "cull", shows: /Nothing was removed/ },
  retire: { args: "retire DATABASE --reason gone", shows: /is retired/ },
  runs: { args: "runs", shows: /restore-[0-9a-f]{24}/ },
  run: { args: "run RUN --follow", shows: /has succeeded/, interrupted: { code: 1, asks: LEAVING } },
  doctor: { args: "doctor", shows: /restore volume: / },
  console: { args: "console", asks: ["The console is at", CTRL_C], shows: /has ended/ },
};
/** It asks no function. */
const COMPLETION = "completion";

describe("every command", () => {
  let stage: RestoreStage;
  let url: string;
  let run: string;
  const parts = new AsyncDisposableStack();
  before(async () => {
    stage = parts.use(await setRestoreStage());
    const { server, database, path } = stage;
    const [backup, cull, restore] = await Promise.all([
      startFunction("backup", backupEnvironment(server, database, path)),
      startFunction("cull", cullEnvironment(path)),
      stage.start(),
    ]);
    parts.use(backup);
    parts.use(cull);
    url = `backup=${backup.url},cull=${cull.url},restore=${restore.url}`;
    await stage.readResult(restore.post({ filename: "latest", into: "scratch" }));
    const { runs } = (await (await restore.get("/runs")).json()) as { runs: { id: string }[] };
    run = runs[0]?.id ?? "";
  });
  after(() => parts.disposeAsync());

  const argsOf = (text: string) =>
    text
      .replace("NAME", stage.backup.name)
      .replace("DATABASE", stage.database)
      .replace("RUN", run)
      .split(" ");

  it("is in this table", () => {
    const names = programOf("dormouse", "0", async () => undefined).commands.map((each) => each.name());

    assert.deepEqual([...Object.keys(ROWS), COMPLETION].toSorted(), names.toSorted());
  });

  for (const [name, { args, asks, shows, yes = "" }] of Object.entries(ROWS)) {
    it(`answers in a terminal, and ends with 0: ${name}`, async () => {
      await using terminal = inTerminal([...argsOf(args), "--url", url]);
      if (asks !== undefined) {
        await terminal.shows(asks[0]);
        terminal.type(argsOf(asks[1]).join(" "));
      }
      await terminal.shows(shows);

      assert.equal(await terminal.ended, 0, terminal.screen());
    });

    if (name === "console") continue;
    it(`prints nothing but JSON with --json, and ends with the same code: ${name}`, async () => {
      const { code, stdout, stderr } = await dormouse([
        ...argsOf(`${args} ${yes}`.trim()),
        "--json",
        "--url",
        url,
      ]);

      assert.equal(code, 0, `${stdout}${stderr}`);
      assert.equal(typeof JSON.parse(stdout), "object");
      assert.equal(stderr, "");
    });
  }

  it("says where there is no Dormouse, in words and as JSON", async () => {
    await using namespace = await startFakeNamespace();
    namespace.objects.set("services", []);
    // The way is one; these ask for it from different places.
    for (const name of ["status", "backup", "restore", "cull", "console"]) {
      const { args = "", yes = "" } = ROWS[name] ?? {};
      const words = argsOf(`${args} ${yes}`.trim());
      const { code, stdout, stderr } = await dormouse([...words, "--json"], namespace.env);

      assert.match(stderr, /there is no Dormouse in the namespace hets\n.*docs\/knative\.md/, name);
      assert.equal(code, 1, name);
      assert.equal((JSON.parse(stdout) as { code: string }).code, "not_installed", name);
    }
  });
});

describe("Ctrl-C, while a function is silent,", () => {
  let silent: Server;
  before(async () => {
    silent = createServer(() => undefined).listen(0, "127.0.0.1");
    await once(silent, "listening");
  });
  after(() => {
    silent.closeAllConnections();
    silent.close();
  });

  for (const [name, { args, interrupted: { code, asks } = BY_SIGNAL }] of Object.entries(ROWS)) {
    if (name === "console") continue;
    it(`ends ${name} at once`, async () => {
      const base = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
      const words = args
        .replace("NAME", "2026-11-28/hets2026-11-28-01-00.bak")
        .replace("RUN", `restore-${"0".repeat(24)}`);
      const asked = once(silent, "request");
      await using terminal = inTerminal([
        ...words.split(" "),
        "--url",
        `backup=${base},cull=${base},restore=${base}`,
      ]);
      await asked;

      terminal.type(CTRL_C);
      if (asks !== undefined) {
        await terminal.shows(asks[0]);
        terminal.type(asks[1]);
      }

      assert.equal(await terminal.ended, code, terminal.screen());
      assert.doesNotMatch(terminal.screen(), /fault of the program/);
    });
  }
});
