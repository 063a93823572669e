import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import * as z from "zod/mini";
import { openBucketCatalog } from "../../shared/catalog/bucket/open-bucket.ts";
import { commonVariables } from "../../shared/config/common-config.ts";
import { readConfig } from "../../shared/config/config.ts";
import { mirrorVariables } from "../../shared/config/mirror-config.ts";
import { withProxies } from "../../shared/config/proxy-config.ts";
import { httpEventSink } from "../../shared/events/event-sink.ts";
import { testChecks } from "../../shared/function/send-test.ts";
import { certified, type Certified } from "../support/certificate.ts";
import { type ForwardProxy, forwardProxy } from "../support/forward-proxy.ts";
import { mailServer } from "../support/mail-server.ts";
import { temporaryFolder } from "../support/volume.ts";

const { signal } = new AbortController();
const schema = z.object({ ...commonVariables, ...mirrorVariables });
type Variables = Readonly<Record<string, string>>;
type Config = z.output<typeof schema>;

/** Whatever is sent is taken. */
async function httpsServer(tls: Certified) {
  const received: string[] = [];
  const server = createServer(tls, (request, response) => {
    received.push(`${request.method} ${request.url}`);
    request.resume();
    const isList = request.url?.includes("list-type=2");
    response.end(isList ? "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>" : "");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    received,
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** How a test message goes to what is configured. */
async function test(config: Config): Promise<void> {
  for (const { run } of testChecks(config, "cull"))
    for (const { state, detail } of await run(signal)) if (state !== "good") throw new Error(detail);
}

const completed = { type: "dev.dormouse.cull.completed", subject: "volume", data: {} } as const;
const ONE_TRY = { source: "/dormouse/cull", timeoutMs: 60_000, retryDelaysMs: [] };

type Target = {
  readonly what: string;
  readonly variables: (host: string, port: number) => Variables;
  readonly send: (config: Config) => Promise<unknown>;
  readonly isMail?: true;
};

const TARGETS: readonly Target[] = [
  {
    what: "the sink",
    variables: (host, port) => ({ K_SINK: `https://${host}:${port}/` }),
    send: (config) => httpEventSink(config, ONE_TRY).send(completed, "run", signal),
  },
  {
    what: "the bucket",
    variables: (host, port) => ({
      S3_BUCKET: "backups",
      S3_PREFIX: "/",
      AWS_ENDPOINT_URL_S3: `https://${host}:${port}`,
      AWS_ACCESS_KEY_ID: "key",
      AWS_SECRET_ACCESS_KEY: "secret",
    }),
    send: async (config) => openBucketCatalog(config)?.list(signal),
  },
  { what: "a chat", variables: (host, port) => ({ NOTIFY_URL: `https://${host}:${port}/hook` }), send: test },
  {
    what: "a mailbox by TLS",
    variables: (host, port) => ({ NOTIFY_SMTP_URL: `smtps://${host}:${port}`, ...MAIL }),
    send: test,
    isMail: true,
  },
  {
    what: "a monitor",
    variables: (host, port) => ({ HEARTBEAT_URL: `https://${host}:${port}/check` }),
    send: test,
  },
  {
    what: "a Pushgateway",
    variables: (host, port) => ({ PUSHGATEWAY_URL: `https://${host}:${port}` }),
    send: test,
  },
  {
    what: "a collector",
    variables: (host, port) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: `https://${host}:${port}` }),
    send: test,
  },
];
const MAIL = { NOTIFY_MAIL_TO: "ops@example.org", NOTIFY_MAIL_FROM: "dormouse@example.org" };

describe("the way of what goes out", () => {
  let tls: Certified;
  let servers: { readonly https: Awaited<ReturnType<typeof httpsServer>>; readonly mail: Mail };
  let proxies: { readonly https: ForwardProxy; readonly mail: ForwardProxy };
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let TRUSTED_CA_FILE: string;
  before(async () => {
    folder = await temporaryFolder();
    tls = await certified(folder.path);
    TRUSTED_CA_FILE = join(folder.path, "authority.pem");
    await writeFile(TRUSTED_CA_FILE, tls.ca);
    servers = { https: await httpsServer(tls), mail: await mailServer({ ...tls, secure: true }) };
    proxies = {
      https: await forwardProxy(servers.https.port),
      mail: await forwardProxy(servers.mail.port),
    };
  });
  after(async () => {
    for (const each of [proxies.https, proxies.mail, servers.mail, folder]) await each[Symbol.asyncDispose]();
    servers.https.close();
  });
  type Mail = Awaited<ReturnType<typeof mailServer>>;

  for (const { what, variables, send, isMail } of TARGETS) {
    const kind = isMail ? "mail" : "https";
    const to = (host: string, more: Variables): Promise<unknown> => {
      const given = { ...variables(host, servers[kind].port), BACKUP_DIR: folder.path, ...more };
      return send(readConfig(schema, withProxies(given), (path) => readFileSync(path, "utf8")));
    };

    it(`to ${what} trusts no certificate that nothing vouches for`, async () => {
      await assert.rejects(to("localhost", {}), /certificate/);
    });

    it(`to ${what} trusts the authorities of K_CA_CERTS and TRUSTED_CA_FILE`, async () => {
      await to("localhost", { K_CA_CERTS: tls.ca });
      await to("localhost", { TRUSTED_CA_FILE });
    });

    it(`to ${what} leads through HTTPS_PROXY, unless NO_PROXY names the host`, async () => {
      const proxy = proxies[kind];
      const HTTPS_PROXY = proxy.url;
      const before = proxy.seen.length;

      await to("sink.test", { TRUSTED_CA_FILE, HTTPS_PROXY, NO_PROXY: "localhost,.sink.test.org" });
      assert.deepEqual([...new Set(proxy.seen.slice(before))], [`CONNECT sink.test:${servers[kind].port}`]);

      const passed = proxy.seen.length;
      for (const NO_PROXY of [
        "localhost",
        "a.test, localhost",
        ".localhost",
        `localhost:${servers[kind].port}`,
        "*",
      ])
        await to("localhost", { TRUSTED_CA_FILE, HTTPS_PROXY, NO_PROXY });
      assert.equal(proxy.seen.length, passed);
    });
  }

  it("to a mailbox by STARTTLS leads through HTTPS_PROXY, and without TLS past it", async () => {
    await using upgraded = await mailServer({ ...tls });
    await using plain = await mailServer({ disabledCommands: ["STARTTLS", "AUTH"] });
    await using proxy = await forwardProxy(upgraded.port);
    const given = { ...MAIL, BACKUP_DIR: folder.path, TRUSTED_CA_FILE, HTTPS_PROXY: proxy.url };
    const mail = (NOTIFY_SMTP_URL: string) => test(readConfig(schema, { ...given, NOTIFY_SMTP_URL }, String));

    await mail("smtp://sink.test");
    await mail(`smtp+plain://${plain.host}`);

    assert.deepEqual(proxy.seen, ["CONNECT sink.test:587"]);
    assert.deepEqual([upgraded.mails.length, plain.mails.length], [1, 1]);
  });

  it("to a mailbox ends where the proxy refuses, and shows no password", async () => {
    await using proxy = await forwardProxy(servers.mail.port, 407);
    const given = {
      ...MAIL,
      BACKUP_DIR: folder.path,
      HTTPS_PROXY: proxy.url.replace("//", "//jo:s3cret@"),
      NOTIFY_SMTP_URL: "smtps://al:s3cret@sink.test",
    };

    await assert.rejects(test(readConfig(schema, given, String)), (error: Error) => {
      assert.match(error.message, /^sink\.test: .*407/);
      assert.doesNotMatch(error.message, /s3cret/);
      return true;
    });
  });
});
