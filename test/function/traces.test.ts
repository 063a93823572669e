import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { bucketCatalog } from "../../shared/catalog/bucket/bucket-catalog.ts";
import { notifyVariables } from "../../shared/config/notify-config.ts";
import { readEvent } from "../../shared/http/cloud-event.ts";
import type { Run } from "../../shared/run/run.ts";
import { traced } from "../../shared/trace.ts";
import { collector } from "../support/collector.ts";
import { setStage, until } from "../support/faulty.ts";
import { webhooks } from "../support/webhooks.ts";

const [TRACE, SPAN] = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];
const GIVEN = `00-${TRACE}-${SPAN}-00`;

describe("a run that is traced", () => {
  it("is one trace below the caller's, with a span for each step, and sends it on to the sink", async () => {
    await using stage = await setStage();
    await using tracing = await collector();
    using sink = await webhooks();
    await using backup = await stage.start({
      OTEL_EXPORTER_OTLP_ENDPOINT: `${tracing.url}/otlp/`,
      OTEL_EXPORTER_OTLP_HEADERS: "api-key=s3cr%2Cet",
      K_SINK: sink.url,
    });

    const answer = await backup.post({}, { traceparent: GIVEN });
    assert.equal(answer.status, 200);
    await backup.logged("run succeeded");
    const { runs } = (await (await backup.get("/runs")).json()) as { readonly runs: readonly [Run] };
    const [{ steps, id }] = runs;

    const root = tracing.spans.find(({ name }) => name === "backup") ?? assert.fail();
    assert.deepEqual([root.traceId, root.parentSpanId], [TRACE, SPAN]);
    assert.equal(root.attributes["dormouse.run"], id);
    assert.equal(root.attributes["db.namespace"], stage.database);
    assert.deepEqual(
      [root.resource["service.name"], root.resource["k8s.namespace.name"]],
      ["dormouse-backup", "hets"],
    );
    const below = tracing.spans.filter((span) => span !== root);
    assert.deepEqual(
      below.map(({ name }) => name),
      [...steps.map(({ step }) => step), "succeeded"],
    );
    for (const span of below)
      assert.deepEqual([span.traceId, span.parentSpanId, span.fault], [TRACE, root.spanId, undefined]);
    // One begins where the one before it has ended, and all of them fill the whole.
    assert.deepEqual(
      below.map(({ startMs }) => startMs),
      [root.startMs, ...below.slice(0, -1).map(({ endMs }) => endMs)],
    );
    assert.equal(below.at(-1)?.endMs, root.endMs);
    assert.deepEqual(
      tracing.asked.map(({ path, headers }) => [path, headers["content-type"], headers["api-key"]]),
      [["/otlp/v1/traces", "application/x-protobuf", "s3cr,et"]],
    );
    const [event] = sink.received;
    const sent = `00-${TRACE}-${root.spanId}-01`;
    assert.deepEqual([event?.headers["ce-traceparent"], event?.headers["traceparent"]], [sent, sent]);
    assert.doesNotMatch(JSON.stringify(backup.lines), /s3cr/);
  });

  it("has a trace of its own where none is given, also over several databases, and says what failed", async () => {
    await using stage = await setStage();
    await using tracing = await collector();
    await using backup = await stage.start({
      OTEL_EXPORTER_OTLP_ENDPOINT: tracing.url,
      POSTGRESQL_DATABASE: "",
      POSTGRESQL_DATABASES: `${stage.database},missing`,
    });

    await backup.ping({ id: "1" });
    await until(() => tracing.asked.length === 3);

    const roots = tracing.spans.filter(({ name }) => name === "backup");
    const whole = roots.find(({ parentSpanId }) => parentSpanId === "") ?? assert.fail();
    const parts = roots.filter((span) => span !== whole);
    assert.deepEqual(new Set(roots.map(({ traceId }) => traceId)).size, 1);
    assert.deepEqual(
      parts.map(({ parentSpanId, attributes, fault }) => [parentSpanId, attributes["db.namespace"], fault]),
      [
        [whole.spanId, "missing", "database_not_found"],
        [whole.spanId, stage.database, undefined],
      ],
    );
    assert.equal(whole.fault, "sweep_incomplete");
    const failed = tracing.spans.filter(({ name, fault }) => name === "failed" && fault !== undefined);
    assert.equal(failed.length, 2);
  });

  it("succeeds where the collector refuses it, which is a step and shows no secret", async () => {
    await using stage = await setStage();
    await using tracing = await collector(403);
    await using backup = await stage.start({
      OTEL_EXPORTER_OTLP_ENDPOINT: `${tracing.url}/s3cret`,
      OTEL_EXPORTER_OTLP_HEADERS: "api-key=s3cret",
    });

    assert.equal((await backup.post()).status, 200);
    await backup.logged("run succeeded");
    const { runs } = (await (await backup.get("/runs")).json()) as { readonly runs: readonly Run[] };
    const report = await (await backup.get("/doctor")).text();
    const test = await fetch(`${backup.url}/doctor?send=true`, { method: "POST" });

    const detail = runs[0]?.steps.find(({ step }) => step === "notification_failed")?.detail;
    const { host } = new URL(tracing.url);
    assert.deepEqual(detail, { to: "collector", error: `${host}: status 403` });
    assert.match(report, /"check":"telling","state":"warning","detail":"run backup-\w+: [^"]*status 403/);
    assert.match(
      await test.text(),
      new RegExp(`"check":"collector","state":"fault","detail":"${host}: status 403"`),
    );
    assert.doesNotMatch(JSON.stringify([runs, report, backup.lines]), /s3cret/);
  });

  it("sends it on to the store, beside what the signature covers", async () => {
    const received: IncomingHttpHeaders[] = [];
    const store = createServer((request, response) => {
      received.push(request.headers);
      response.end("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>");
    }).listen(0, "127.0.0.1");
    await once(store, "listening");
    const catalog = bucketCatalog({
      bucket: "backups",
      prefix: "",
      endpoint: `http://127.0.0.1:${(store.address() as AddressInfo).port}`,
      region: "us-east-1",
      credentials: { accessKeyId: "key", secretAccessKey: "secret" },
      forcePathStyle: true,
      checksums: "when-required",
      stallMs: 60_000,
    });
    const signal = AbortSignal.timeout(60_000);

    await traced({ traceId: TRACE, spanId: SPAN }, () => catalog.list(signal));
    await catalog.list(signal);
    store.closeAllConnections();
    store.close();

    const [first, second] = [received[0], received.at(-1)];
    assert.equal(first?.["traceparent"], `00-${TRACE}-${SPAN}-01`);
    assert.match(String(first["authorization"]), /SignedHeaders=(?!.*traceparent)/);
    assert.equal(second?.["traceparent"], undefined);
  });

  const event = { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/x", "ce-type": "t" };
  const other = GIVEN.replace(SPAN, "1111111111111111");
  for (const [what, headers, found] of [
    ["the extension", { ...event, "ce-traceparent": GIVEN, traceparent: other }, GIVEN],
    ["the request where there is no extension", { ...event, traceparent: other }, other],
    [
      "the request where the extension is none",
      { ...event, "ce-traceparent": "x", traceparent: other },
      other,
    ],
    ["nothing that is all zero", { ...event, traceparent: GIVEN.replace(TRACE, "0".repeat(32)) }, undefined],
    ["nothing that is longer", { ...event, traceparent: `${GIVEN}-more` }, undefined],
  ] as const)
    it(`takes the trace of an event from ${what}`, () => {
      assert.equal(readEvent(headers, "").traceparent, found);
    });

  it("takes it from an event in structured mode", () => {
    const body = { specversion: "1.0", id: "1", source: "/x", type: "t", traceparent: GIVEN };
    const headers = { "content-type": "application/cloudevents+json" };

    assert.equal(readEvent(headers, JSON.stringify(body)).traceparent, GIVEN);
  });

  for (const [given, isGood] of [
    ["api-key=secret", true],
    ["a=1, b=2", true],
    ["a=Bearer%20x=y", true],
    ["secret", false],
    ["a=50%", false],
    ["a b=1", false],
    ["=1", false],
    ["a%0Ab=1", false],
    ["a=1%0D%0Ahost: elsewhere", false],
    ["a=%E2%82%AC", false],
  ] as const)
    it(`${isGood ? "takes" : "refuses"} ${given} for headers`, () => {
      assert.equal(notifyVariables.OTEL_EXPORTER_OTLP_HEADERS.safeParse(given).success, isGood);
    });
});
