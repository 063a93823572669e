import assert from "node:assert/strict";
import { execa } from "execa";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import { until } from "./faulty.ts";
import { startPostgres } from "./postgres.ts";

describe("startPostgres", () => {
  it("starts, stops, starts again and leaves nothing behind", async () => {
    const server = await startPostgres();
    const database = await server.createDatabase();

    await server.kill();
    await server.start();
    const { rows } = await server.query(database, "SHOW data_directory");
    const folder = (rows as { data_directory: string }[])[0]?.data_directory ?? "";
    await server[Symbol.asyncDispose]();

    assert.match(folder, /dormouse-pg-/);
    assert.equal(existsSync(folder), false);
  });

  it("ends with the process that started it, also when that is killed", async () => {
    const script = `import { startPostgres } from ${JSON.stringify(new URL("postgres.ts", import.meta.url))};
      const server = await startPostgres();
      console.log(JSON.stringify({ pid: server.pid() }));
      process.kill(process.pid, "SIGKILL");`;

    const { stdout } = await execa(process.execPath, ["--input-type=module", "-e", script], {
      reject: false,
    });

    const { pid } = JSON.parse(stdout) as { pid: number };
    await until(() => !existsSync(`/proc/${pid}`));
  });
});
