import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import type { Run } from "../../shared/run/run.ts";
import { METRICS } from "../../shared/events/metrics/metric-list.ts";
import { deleteGroup, listGroups, pushGroup } from "../../shared/events/metrics/pushgateway.ts";
import { readMetrics } from "../../shared/events/metrics/read-metrics.ts";
import { cull, cullEnvironment } from "../support/culled.ts";
import { setStage, until } from "../support/faulty.ts";
import { startFunction } from "../support/function-process.ts";
import { whyNoGo } from "../support/go-program.ts";
import { startPushgateway } from "../support/pushgateway.ts";
import { standIn } from "../support/stand-in.ts";

const skip = await whyNoGo();
const { signal } = new AbortController();

describe("the metrics", () => {
  it(
    "are pushed when a run has ended, and a failure leaves the last success as it was",
    { skip },
    async () => {
      await using gateway = await startPushgateway();
      await using stage = await setStage();
      const PUSHGATEWAY_URL = gateway.url;
      const value = async (name: string, labels: string) => {
        const line = (await gateway.series()).find(
          (each) => each.startsWith(`${name}{`) && each.includes(labels),
        );
        return line === undefined ? undefined : Number(line.split(" ").at(-1));
      };
      const labels = `database="${stage.database}",function="backup",instance="",job="dormouse",namespace="hets"`;
      {
        await using backup = await stage.start({ PUSHGATEWAY_URL });
        assert.equal((await backup.post()).status, 200);
        await backup.logged("run succeeded");
      }
      const success = await value("dormouse_run_last_success_timestamp_seconds", labels);
      assert.ok(success !== undefined && Math.abs(success - Date.now() / 1000) < 3_600);
      assert.equal(await value("dormouse_run_failed", labels), 0);
      assert.ok(((await value("dormouse_backup_rows", labels)) ?? 0) > 0);
      assert.equal(await value("dormouse_backup_proof_level", labels), 1);
      assert.ok(((await value("dormouse_volume_free_bytes", labels)) ?? 0) > 0);
      assert.ok((await gateway.series()).some((line) => line.includes('phase="published"')));

      {
        await using backup = await stage.start({ PUSHGATEWAY_URL, POSTGRESQL_PASSWORD: "wrong" });
        assert.notEqual((await backup.post()).status, 200);
        await backup.logged("run failed");
      }
      assert.equal(await value("dormouse_run_failed", labels), 1);
      assert.equal(await value("dormouse_run_last_success_timestamp_seconds", labels), success);

      const target = { url: gateway.url, outbound: {}, signal };
      const gone = { namespace: "hets", function: "cull", database: "gone/by now" };
      const info = (service: string) => ({ name: "dormouse_info" as const, value: 1, labels: { service } });
      await pushGroup(target, gone, [info("cull")]);
      await pushGroup(target, { ...gone, database: "of another" }, [info("another-cull")]);
      await using culling = await startFunction("cull", {
        ...cullEnvironment(stage.path),
        POD_NAMESPACE: "hets",
        PUSHGATEWAY_URL,
      });
      await cull(culling);
      await culling.logged("run succeeded");

      const culled = `database="${stage.database}",function="cull"`;
      assert.equal(await value("dormouse_cull_kept_backups", culled), 2);
      assert.equal(await value("dormouse_backup_suspect", culled), 0);
      const own = { namespace: "hets", function: "cull" };
      // The gateway answers before it has deleted.
      await until(async () => (await listGroups(target, { ...own, service: "cull" })).length === 2);
      assert.deepEqual(
        [...(await listGroups(target, { ...own, service: "cull" }))].toSorted(),
        ["*", stage.database].toSorted(),
      );
      assert.deepEqual(await listGroups(target, { ...own, service: "another-cull" }), ["of another"]);
    },
  );

  for (const database of ["", "a/b", "größe", "..", "100%", 'a b"c'])
    it(`are kept and deleted of a database called ${JSON.stringify(database)}`, { skip }, async () => {
      await using gateway = await startPushgateway();
      const target = { url: gateway.url, outbound: {}, signal };
      const group = { namespace: "hets", function: "backup", database };

      await pushGroup(target, group, [{ name: "dormouse_run_failed", value: 1 }]);
      const [line = ""] = await gateway.series();
      const escaped = database.replaceAll('"', '\\"');
      assert.ok(database === "" || line.includes(`database="${escaped}"`), line);
      await deleteGroup(target, group);

      // The gateway answers before it has deleted.
      await until(async () => (await gateway.series()).length === 0);
    });

  it("that a gateway refuses, or redirects, are a step of the run, which succeeds", async () => {
    await using stage = await setStage();
    for (const status of [401, 302]) {
      const server = createServer((_, response) => {
        response.writeHead(status, { location: "https://login.example.org/?s3cret" }).end();
      }).listen(0, "127.0.0.1");
      await once(server, "listening");
      const url = `http://jo:s3cret@127.0.0.1:${(server.address() as AddressInfo).port}`;
      await using backup = await stage.start({ PUSHGATEWAY_URL: url });

      assert.equal((await backup.post()).status, 200);
      await backup.logged("run succeeded");
      const { runs } = (await (await backup.get("/runs")).json()) as { runs: Run[] };

      assert.equal(runs[0]?.state, "succeeded");
      const detail = runs[0].steps.find(({ step }) => step === "notification_failed")?.detail;
      assert.match(String(detail?.["error"]), new RegExp(`^127\\.0\\.0\\.1:\\d+: status ${status}$`));
      assert.doesNotMatch(JSON.stringify([runs, backup.lines]), /s3cret/);
      server.closeAllConnections();
      server.close();
    }
  });

  for (const [what, broken, error] of [
    ["a push", "POST", /timeout/],
    ["its list", "GET", /aborted|ECONNRESET/],
  ] as const)
    it(`are a step of the run, which ends, where a gateway breaks off its answer to ${what}`, async () => {
      await using stage = await setStage();
      await using gateway = await standIn((request, response) => {
        if (request.method !== broken) return void response.end();
        const { socket } = response;
        response.writeHead(200, { "content-length": 9 });
        response.write("cut", () => (broken === "GET" ? socket?.resetAndDestroy() : socket?.end()));
      });
      await using backup = await stage.start({ PUSHGATEWAY_URL: gateway.url });

      assert.equal((await backup.post()).status, 200);

      assert.match(String((await backup.logged("metrics not pushed"))["error"]), error);
      await backup.logged("run succeeded");
      assert.equal((await backup.get("/runs")).status, 200);
    });

  it("of a mirror that lags say by how much", () => {
    const at = new Date("2026-11-23T01:00:00Z");
    const detail = {
      lacking: ["2026-11-22/hets2026-11-22-01-00.bak", "2026-11-21/hets2026-11-21-01-00.bak"],
    };
    const run = {
      kind: "backup",
      database: "hets",
      state: "succeeded",
      acceptedAt: at,
      finishedAt: at,
      request: {},
      steps: [{ step: "mirror_failed", at, detail }],
    } as unknown as Run;
    const known = new Map(
      readMetrics(run, undefined)
        .get("hets")
        ?.map(({ name, value }) => [name, value]),
    );

    assert.equal(known.get("dormouse_mirror_lacking_backups"), 2);
    assert.equal(known.get("dormouse_mirror_lag_seconds"), 2 * 86_400);
  });

  it("are listed in docs/metrics.md as the code has them", async () => {
    const page = await readFile(new URL("../../docs/metrics.md", import.meta.url), "utf8");
    const rows = [...page.matchAll(/^\| `(dormouse_\w+)` *\| (.+?) *\|$/gm)];
    assert.deepEqual(
      rows.map(([, name, help]) => [name, help]),
      Object.entries(METRICS),
    );
  });
});
