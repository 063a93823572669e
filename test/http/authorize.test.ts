import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createAuthorizer } from "../../shared/http/authorize-by.ts";
import type { Run } from "../../shared/run/run.ts";
import { runFiles } from "../../shared/run/run-files.ts";
import { clusterCaller } from "../../shared/kubernetes/client.ts";
import { jsonLog } from "../../shared/log.ts";
import { createRuns } from "../../shared/run/runs.ts";
import { listen } from "../../shared/function/listen.ts";
import { createApp } from "../../shared/http/server.ts";
import { type FakeKubernetes, startFakeKubernetes } from "../support/fake-kubernetes.ts";
import { type Removed, temporaryVolume } from "../support/volume.ts";
import { type AuthSettings, checkAuth } from "../../shared/config/auth-config.ts";
import type { Handler } from "../../shared/http/handler.ts";

const TOKEN = "0123456789abcdef-of-jo";

type Asked = readonly [what: string, token: string | undefined, status: number];

describe("a function that authenticates callers", () => {
  let volume: Removed;
  let fake: FakeKubernetes;
  let tokenFile: string;

  before(async () => {
    volume = await temporaryVolume();
    tokenFile = join(volume.path, "tokens");
    await writeFile(tokenFile, `# who may restore\njo:${TOKEN}\n\nabcdefghijklmnop-bare\n`);
    fake = await startFakeKubernetes();
    fake.addUser({ token: "good", name: "jo", audiences: ["dormouse"] });
    fake.addUser({ token: "old", name: "jo", audiences: ["dormouse"], isExpired: true });
    fake.addUser({ token: "elsewhere", name: "jo", audiences: ["https://kubernetes.default.svc"] });
    fake.addUser({ token: "unchecked", name: "jo", audiences: "unchecked" });
    fake.addUser({ token: "reader", name: "al", audiences: ["dormouse"] });
    fake.grant("jo", "restore services");
    fake.grant("jo", "get services");
    fake.grant("al", "get services");
  });
  after(async () => {
    await fake[Symbol.asyncDispose]();
    await volume[Symbol.asyncDispose]();
  });

  const served = (changes: Partial<AuthSettings>) =>
    serveWith(
      { AUTH: "none", AUTH_AUDIENCE: "dormouse", K_SERVICE: "restore", ...changes },
      fake,
      volume.path,
    );

  const refused: Readonly<Record<"kubernetes" | "token", readonly Asked[]>> = {
    kubernetes: [
      ["without a token", undefined, 401],
      ["with an unknown token", "made-up", 401],
      ["with an expired token", "old", 401],
      ["with a token for another audience", "elsewhere", 401],
      ["with a token whose audience the cluster did not check", "unchecked", 401],
      ["of a caller without the right", "reader", 403],
    ],
    token: [
      ["without a token", undefined, 401],
      ["with a wrong token", "0123456789abcdef-of-jx", 401],
      ["with the beginning of a token", "0123456789abcdef", 401],
      ["with a name and a token", `jo:${TOKEN}`, 401],
    ],
  };
  for (const AUTH of ["kubernetes", "token"] as const) {
    for (const [what, token, status] of refused[AUTH]) {
      it(`answers ${status} to a POST ${what} (${AUTH}), and reads nothing`, async () => {
        await using service = await served({ AUTH, AUTH_TOKEN_FILE: tokenFile });

        const response = await service.post(token, status === 401 ? "no JSON at all" : "{}");
        const problem = (await response.json()) as { code: string };

        assert.equal(response.status, status);
        assert.equal(problem.code, status === 401 ? "unauthenticated" : "forbidden");
        assert.equal(response.headers.get("www-authenticate"), status === 401 ? "Bearer" : null);
        assert.deepEqual(service.seen, []);
      });
    }
  }

  it("puts the name that the cluster knows into the record", async () => {
    await using service = await served({ AUTH: "kubernetes" });

    const response = await service.post("good", "{}");
    const run = await service.runOf(response);

    assert.equal(response.status, 200);
    assert.equal(run.caller, "jo");
    assert.deepEqual(service.seen, ["body", "work"]);
  });

  it("lets a caller read that may not restore", async () => {
    await using service = await served({ AUTH: "kubernetes" });

    const response = await service.get("reader");

    assert.equal(response.status, 200);
    assert.deepEqual(service.seen, ["show"]);
  });

  it("asks the cluster once in some seconds for each token and verb, and for the bearer of each token", async () => {
    await using service = await served({ AUTH: "kubernetes" });
    const reviews = () => fake.requests.filter(({ resource }) => resource === "tokenreviews").length;
    const before = reviews();

    for (const _ of [1, 2, 3]) await service.get("good");
    await service.post("good", "{}");

    assert.equal(reviews(), before + 3);
  });

  it("asks once for a token that is guessed again and again, also at once, and keeps good tokens", async () => {
    await using service = await served({ AUTH: "kubernetes" });
    const reviews = () => fake.requests.filter(({ resource }) => resource === "tokenreviews").length;
    await service.get("good");
    const before = reviews();

    const guesses = await Promise.all(Array.from({ length: 50 }, () => service.get("guessed")));
    const forbidden = await Promise.all([service.post("reader", "{}"), service.post("reader", "{}")]);
    const afterGuesses = reviews();
    const own = await service.get("good");

    assert.deepEqual(new Set(guesses.map(({ status }) => status)), new Set([401]));
    assert.deepEqual(
      forbidden.map(({ status }) => status),
      [403, 403],
    );
    assert.deepEqual([afterGuesses - before, reviews() - afterGuesses, own.status], [3, 0, 200]);
  });

  it("says that the function may not review tokens, and lets no caller in", async () => {
    await using service = await served({ AUTH: "kubernetes" });
    fake.deny("create tokenreviews");

    const response = await service.get("good");
    fake.allow("create tokenreviews");

    assert.equal(response.status, 500);
    assert.equal(((await response.json()) as { code: string }).code, "token_review_forbidden");
    assert.deepEqual(service.seen, []);
  });

  it("lets no caller in while the cluster does not answer", async () => {
    await using service = await served({ AUTH: "kubernetes" });
    fake.behave("is overloaded");

    const response = await service.get("good");
    fake.behave("answers");

    assert.equal(response.status, 503);
    assert.deepEqual(service.seen, []);
  });

  it("says that the cluster did not answer in time, where a review takes longer than a caller should wait", async (test) => {
    await using service = await served({ AUTH: "kubernetes" });
    const late = AbortSignal.abort(new DOMException("the time is over", "TimeoutError"));
    test.mock.method(AbortSignal, "timeout", () => late);

    const response = await service.get("late");
    test.mock.restoreAll();

    assert.equal(response.status, 503);
    assert.equal(((await response.json()) as { code: string }).code, "cluster_unreachable");
    assert.deepEqual(service.seen, []);
  });

  it("knows the callers of its file, each by name, and a bare token", async () => {
    await using service = await served({ AUTH: "token", AUTH_TOKEN_FILE: tokenFile });

    const runs = await Promise.all(
      [TOKEN, "abcdefghijklmnop-bare"].map(async (token) => service.runOf(await service.post(token, "{}"))),
    );

    assert.deepEqual(
      runs.map(({ caller }) => caller),
      ["jo", "token"],
    );
  });

  for (const [line, caller] of [
    ["system:admin", "system:admin"],
    ["kube:admin", "kube:admin"],
    ["", "token"],
  ] as const) {
    it(`takes the last colon for the end of a name, as in "${line}:token"`, async () => {
      const path = join(volume.path, "colons");
      await writeFile(path, `${line}:${TOKEN}\n`);
      await using service = await served({ AUTH: "token", AUTH_TOKEN_FILE: path });

      const run = await service.runOf(await service.post(TOKEN, "{}"));

      assert.equal(run.caller, caller);
    });
  }

  it("reads its file again when it changes", async () => {
    const changing = join(volume.path, "changing");
    await writeFile(changing, TOKEN);
    await using service = await served({ AUTH: "token", AUTH_TOKEN_FILE: changing });
    const before = await service.get(TOKEN);

    await writeFile(changing, "fedcba9876543210-new");

    assert.equal(before.status, 200);
    assert.equal((await service.get(TOKEN)).status, 401);
    assert.equal((await service.get("fedcba9876543210-new")).status, 200);
  });

  it("gives all callers one name where none is authenticated", async () => {
    await using service = await served({ AUTH: "none" });

    const run = await service.runOf(await service.post(undefined, "{}"));

    assert.equal(run.caller, "anyone");
  });

  const mistakes: readonly (readonly [string, Partial<AuthSettings>, string | undefined])[] = [
    ["no token file", { AUTH: "token" }, undefined],
    ["a token file that is not there", { AUTH: "token", AUTH_TOKEN_FILE: "/nowhere" }, undefined],
    ["an empty token file", { AUTH: "token" }, "# nobody\n"],
    ["a token that is too short", { AUTH: "token" }, "jo:secret\n"],
    ["a token with a space", { AUTH: "token" }, "jo:0123456789 abcdef-secret\n"],
    ["no Knative Service", { AUTH: "kubernetes", K_SERVICE: undefined }, undefined],
  ];
  for (const [what, changes, content] of mistakes) {
    it(`does not start with ${what}`, async () => {
      const path = join(volume.path, "bad");
      if (content !== undefined) await writeFile(path, content);

      const call = served(content === undefined ? changes : { ...changes, AUTH_TOKEN_FILE: path });

      await assert.rejects(call, { code: "configuration_invalid", message: /^(?!.*secret)/ });
    });
  }
});

/** A small function on a real port, which notes what it has read and done. */
async function serveWith(settings: AuthSettings, fake: FakeKubernetes, backupDir: string) {
  const seen: string[] = [];
  const note = <Answer>(what: string, answer: Answer): Answer => {
    seen.push(what);
    return answer;
  };
  const handler: Handler = {
    kind: "restore",
    covers: (database: string) => database === "hets",
    databaseOf: () => "hets",
    parseBody: () => note("body", {}),
    parseEvent: () => note("event", {}),
    work: async () => note("work", {}),
    show: async () => note("show", {}),
    verbsOf: () => ["restore"],
  };
  const log = jsonLog(() => undefined);
  const runs = createRuns({ store: runFiles(backupDir, log), log });
  checkAuth(settings);
  const authorize = await createAuthorizer(settings, clusterCaller({ kubeconfig: fake.kubeconfig }));
  const server = await listen(0);
  server.open(createApp({ handler, runs, log, authorize }));
  const url = `http://127.0.0.1:${server.port}`;
  const bearer = (token: string | undefined) =>
    token === undefined ? {} : { authorization: `Bearer ${token}` };
  return {
    seen,
    get: (token: string | undefined) => fetch(url, { headers: { ...bearer(token), connection: "close" } }),
    post: (token: string | undefined, body: string) =>
      fetch(url, {
        method: "POST",
        headers: { ...bearer(token), "content-type": "application/json", connection: "close" },
        body,
      }),
    async runOf(response: Response): Promise<Run> {
      const run = await runs.find(response.headers.get("dormouse-run") ?? "");
      if (run === undefined) throw new Error(`answer ${response.status}: ${await response.text()}`);
      return run;
    },
    async [Symbol.asyncDispose]() {
      server.stop();
      await server.closed(1_000);
    },
  };
}
