// The part of the demo that stays: the three functions on the demo's database, and the console in front of them.
import { execa } from "execa";
import { cullEnvironment } from "../../test/support/culled.ts";
import { backupEnvironment, restoreEnvironment, startFunction } from "../../test/support/function-process.ts";
import type { OwnServer } from "../../test/support/postgres.ts";

type Given = {
  readonly server: OwnServer;
  readonly database: string;
  readonly backupDir: string;
  readonly say: (line: string) => void;
};

/** Serves until the console is ended. */
export async function demoConsole({ server, database, backupDir, say }: Given): Promise<void> {
  await using backup = await startFunction("backup", backupEnvironment(server, database, backupDir));
  await using cull = await startFunction("cull", cullEnvironment(backupDir));
  await using restore = await startFunction("restore", restoreEnvironment(server, database, backupDir));
  const url = `backup=${backup.url},cull=${cull.url},restore=${restore.url}`;
  say(`the console is in front of the three functions: dormouse console --url ${url}`);
  // It has Ctrl-C from the terminal, as this process has, which clears up after it.
  const options = { stdio: "inherit", reject: false, cleanup: false } as const;
  const running = execa(process.execPath, ["cli/index.ts", "console", "--url", url], options);
  process.once("SIGTERM", () => running.kill("SIGTERM"));
  await running;
}
