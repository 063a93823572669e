import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { sendersCheck } from "../../shared/doctor/check-callers.ts";
import { startFakeKubernetes } from "../support/fake-kubernetes.ts";
import { pingRequest, spawnFunction, startFunction } from "../support/function-process.ts";
import { eventReceiver } from "../support/event-receiver.ts";
import { until } from "../support/faulty.ts";
import { temporaryVolume } from "../support/volume.ts";
import { checkAuth } from "../../shared/config/auth-config.ts";

const DAILY = "system:serviceaccount:hets:dormouse-watch-oidc-sources.knative.dev-pingsource";
const RESUME = "system:serviceaccount:hets:dormouse-restore-oidc-sources.knative.dev-pingsource";
/** The second is of the function's own namespace. */
const SUBJECTS = `${DAILY}, dormouse-restore-oidc-*`;

const given = (backupDir: string) => ({
  PATH: process.env["PATH"] ?? "",
  BACKUP_DIR: backupDir,
  AUTH: "none",
  POD_NAMESPACE: "hets",
  PORT: "0",
});

describe("events with AUTH_EVENTS=kubernetes", () => {
  it("are taken of the senders that are named, with a token for this function, and of no others", async () => {
    await using volume = await temporaryVolume();
    await using fake = await startFakeKubernetes();
    const audiences = ["dormouse"];
    fake.addUser({ token: "daily", name: DAILY, audiences });
    fake.addUser({ token: "resume", name: RESUME, audiences });
    fake.addUser({ token: "elsewhere", name: DAILY, audiences: ["https://kubernetes.default.svc"] });
    fake.addUser({ token: "other", name: "system:serviceaccount:other:dormouse-watch", audiences });
    const elsewhere = RESUME.replace(":hets:", ":other:");
    fake.addUser({ token: "namesake", name: elsewhere, audiences });
    fake.addUser({ token: "longer", name: `${DAILY}2`, audiences });
    await using cull = await startFunction("cull", {
      ...given(volume.path),
      KUBECONFIG: fake.kubeconfig,
      AUTH_EVENTS: "kubernetes",
      AUTH_EVENT_SUBJECTS: SUBJECTS,
    });
    const send = async (token: string | undefined, structured = false) => {
      const { headers, body = null } = pingRequest();
      const event = { specversion: "1.0", id: "1", source: "/s", type: "dev.knative.sources.ping" };
      const message = structured
        ? { headers: { "content-type": "application/cloudevents+json" }, body: JSON.stringify(event) }
        : { headers: headers as Record<string, string>, body };
      const bearer = token === undefined ? {} : { authorization: `Bearer ${token}` };
      return fetch(cull.url, { ...message, method: "POST", headers: { ...message.headers, ...bearer } });
    };

    const statuses: Record<string, number> = {};
    for (const token of [undefined, "made-up", "elsewhere", "other", "namesake", "longer"]) {
      statuses[`${token}`] = (await send(token)).status;
      statuses[`${token}, structured`] = (await send(token, true)).status;
    }
    const runsBefore = cull.lines.filter(({ message }) => message.startsWith("run "));
    const taken = [(await send("daily")).status, (await send("resume", true)).status];

    assert.deepEqual(statuses, {
      undefined: 401,
      "undefined, structured": 401,
      "made-up": 401,
      "made-up, structured": 401,
      elsewhere: 401,
      "elsewhere, structured": 401,
      other: 403,
      "other, structured": 403,
      namesake: 403,
      "namesake, structured": 403,
      longer: 403,
      "longer, structured": 403,
    });
    assert.deepEqual(runsBefore, []);
    assert.deepEqual(taken, [202, 202]);
  });

  it("need the names of their senders", () => {
    const settings = { AUTH: "none", AUTH_AUDIENCE: "dormouse", AUTH_EVENTS: "kubernetes" } as const;

    assert.throws(() => checkAuth(settings), /AUTH_EVENTS=kubernetes needs AUTH_EVENT_SUBJECTS/);
  });

  it("take no name that any account could have", async () => {
    await using volume = await temporaryVolume();
    await using cull = spawnFunction("cull", {
      ...given(volume.path),
      AUTH_EVENTS: "kubernetes",
      AUTH_EVENT_SUBJECTS: "*",
    });

    assert.match(String((await cull.logged("start-up failed"))["error"]), /AUTH_EVENT_SUBJECTS is "\*"/);
  });
});

describe("the doctor of a function that could ask senders for a token", () => {
  it("warns where the cluster gives them one, and lists the named senders where it asks", async () => {
    await using volume = await temporaryVolume();
    const SINK_TOKEN_FILE = join(volume.path, "token");
    const look = async (settings: object) => {
      const check = sendersCheck({ AUTH: "kubernetes", AUTH_EVENTS: "none", SINK_TOKEN_FILE, ...settings });
      return (await check.run(new AbortController().signal))[0];
    };

    const without = await look({});
    await writeFile(SINK_TOKEN_FILE, "a token");
    const could = await look({});
    const asks = await look({ AUTH_EVENTS: "kubernetes", AUTH_EVENT_SUBJECTS: ["dormouse-daily-oidc-*"] });

    assert.deepEqual([without?.state, could?.state, asks?.state], ["good", "warning", "good"]);
    assert.match(without?.detail ?? "", /AUTH_EVENTS/);
    assert.match(could?.fix ?? "", /components\/events-oidc/);
    assert.match(asks?.detail ?? "", /dormouse-daily-oidc-\*/);
  });
});

describe("events for a sink that asks for a token", () => {
  it("bear the one that Knative mounts, as it is renewed, and are not sent without it", async () => {
    await using volume = await temporaryVolume();
    await using sink = await eventReceiver();
    const SINK_TOKEN_FILE = join(volume.path, "token");
    await using cull = await startFunction("cull", {
      ...given(volume.path),
      K_SINK: sink.url,
      K_SINK_AUDIENCE: "the-sink",
      SINK_TOKEN_FILE,
    });

    await cull.post();
    const lost = await cull.logged("event not delivered");
    await writeFile(SINK_TOKEN_FILE, "first\n");
    await cull.post();
    await until(async () => sink.events.length === 1);
    await writeFile(SINK_TOKEN_FILE, "second\n");
    await cull.post();
    await until(async () => sink.events.length === 2);

    assert.match(String(lost["error"]), /there is no token for the-sink at/);
    assert.deepEqual(
      sink.events.map(({ authorization }) => authorization),
      ["Bearer first", "Bearer second"],
    );
  });
});
