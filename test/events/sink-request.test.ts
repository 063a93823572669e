import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { createServer as createTcpServer, type AddressInfo } from "node:net";
import { before, describe, it } from "node:test";
import { sinkCheck } from "../../shared/doctor/check-sink.ts";
import { httpEventSink } from "../../shared/events/event-sink.ts";
import type { SinkConfig } from "../../shared/events/sink-config.ts";
import { aManifest } from "../support/backups.ts";
import { certified, type Certified } from "../support/certificate.ts";
import { forwardProxy } from "../support/forward-proxy.ts";
import { temporaryFolder } from "../support/volume.ts";

const never = new AbortController().signal;
const completed = {
  type: "dev.dormouse.backup.completed",
  subject: "2026-11-22/hets2026-11-22-01-00.bak",
  data: aManifest(),
} as const;

/** Answers every request with `status`, and keeps the requests. */
async function listening(tls?: Certified, answer: RequestListener = (_, response) => void response.end()) {
  const seen: string[] = [];
  const listener: RequestListener = (request, response) => {
    seen.push(`${request.method} ${request.url}`);
    answer(request, response);
  };
  const server = tls === undefined ? createHttpServer(listener) : createHttpsServer(tls, listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Sends one event, and asks the doctor: they must agree. */
async function tried(config: SinkConfig): Promise<string> {
  const settings = { source: "/dormouse/backup/hets", timeoutMs: 60_000, retryDelaysMs: [] };
  const [sent, examined] = await Promise.all([
    told(httpEventSink(config, settings).send(completed, "backup-1", never)),
    told(
      sinkCheck(config)
        .run(never)
        .then(([found]) => {
          if (found?.state !== "good") throw Object.assign(new Error(found?.detail), { hint: found?.fix });
        }),
    ),
  ]);
  assert.equal(sent === "", examined === "", `${sent} | ${examined}`);
  return `${sent} | ${examined}`;
}

async function told(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "",
    (error: Error & { readonly hint?: string }) => `${error.message} (${error.hint})`,
  );
}

const DELIVERED = " | ";

describe("the way to the sink", () => {
  let tls: Certified;
  before(async () => {
    await using folder = await temporaryFolder();
    tls = await certified(folder.path);
  });

  it("trusts the authorities of K_CA_CERTS, and no others for it", async () => {
    await using sink = await listening(tls);
    const K_SINK = `https://localhost:${sink.port}/`;

    assert.match(
      await tried({ K_SINK }),
      /certificate chain \(K_CA_CERTS must hold.* \| .*certificate chain \(K_CA_CERTS/,
    );
    assert.deepEqual(sink.seen, []);
    assert.equal(await tried({ K_SINK, K_CA_CERTS: tls.ca }), DELIVERED);
    assert.deepEqual(new Set(sink.seen), new Set(["OPTIONS /", "POST /"]));
  });

  it("says that certificates are cut, and that the sink is called otherwise", async () => {
    await using sink = await listening(tls);
    const cut = tls.ca.slice(0, 200);
    const other = `https://[::ffff:127.0.0.1]:${sink.port}/`;

    assert.match(
      await tried({ K_SINK: `https://localhost:${sink.port}/`, K_CA_CERTS: cut }),
      /K_CA_CERTS.*\|.*K_CA_CERTS/,
    );
    assert.match(
      await tried({ K_SINK: other, K_CA_CERTS: tls.ca }),
      /call the sink as its certificate does.*\|.*as its certificate does/,
    );
  });

  it("leads through the proxy that its kind of address has, by a tunnel where that is https", async () => {
    await using plain = await listening();
    await using encrypted = await listening(tls);
    await using proxy = await forwardProxy(plain.port);
    await using tunnels = await forwardProxy(encrypted.port);
    const proxies = { HTTP_PROXY: proxy.url, HTTPS_PROXY: tunnels.url, K_CA_CERTS: tls.ca };

    assert.equal(await tried({ K_SINK: "http://sink.test/path", ...proxies }), DELIVERED);
    assert.equal(await tried({ K_SINK: "https://sink.test/path", ...proxies }), DELIVERED);

    assert.deepEqual(
      new Set(proxy.seen),
      new Set(["OPTIONS http://sink.test/path", "POST http://sink.test/path"]),
    );
    assert.deepEqual(tunnels.seen, ["CONNECT sink.test:443", "CONNECT sink.test:443"]);
    assert.deepEqual(new Set(encrypted.seen), new Set(["OPTIONS /path", "POST /path"]));
  });

  for (const NO_PROXY of ["localhost", "example.org,localhost", ".svc, localhost", "*"]) {
    it(`leads past the proxy with NO_PROXY=${NO_PROXY}`, async () => {
      await using sink = await listening();
      await using proxy = await forwardProxy(sink.port);

      const K_SINK = `http://localhost:${sink.port}/`;
      assert.equal(await tried({ K_SINK, HTTP_PROXY: proxy.url, NO_PROXY }), DELIVERED);

      assert.deepEqual(proxy.seen, []);
    });
  }

  it("says that the proxy refused, and no password", async () => {
    await using sink = await listening(tls);
    await using proxy = await forwardProxy(sink.port, 407);
    const HTTPS_PROXY = proxy.url.replace("//", "//jo:s3cret@");

    const said = await tried({ K_SINK: "https://jo:s3cret@sink.test/", HTTPS_PROXY });

    assert.match(said, /407.*check the proxy in HTTPS_PROXY.*\|.*check the proxy in HTTPS_PROXY/s);
    assert.doesNotMatch(said, /s3cret/);
    assert.deepEqual(sink.seen, []);
  });

  for (const status of [301, 302, 303, 307, 308]) {
    it(`ends at a redirect by ${status}: what answers elsewhere took no event`, async () => {
      await using login = await listening();
      const location = `http://localhost:${login.port}/login?token=s3cret`;
      await using sink = await listening(undefined, (_, response) => {
        response.writeHead(status, { location }).end();
      });

      const said = await tried({ K_SINK: `http://127.0.0.1:${sink.port}/` });

      assert.match(
        said,
        new RegExp(`it redirects to localhost:${login.port} \\(status ${status}\\).*\\|.*redirects`),
      );
      assert.doesNotMatch(said, /s3cret/);
      assert.deepEqual(new Set(sink.seen), new Set(["OPTIONS /", "POST /"]));
      assert.deepEqual(login.seen, []);
    });
  }

  it("ends with a connection that becomes another protocol's, or ends without an answer", async () => {
    for (const words of [
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
      "",
    ]) {
      const server = createTcpServer((socket) => {
        socket.on("error", () => undefined);
        socket.once("data", () => socket.end(words));
      }).listen(0, "127.0.0.1");
      await once(server, "listening");

      const said = await tried({ K_SINK: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` });

      assert.match(
        said,
        words === "" ? /did not reach 127.*socket hang up/ : /did not reach 127.*status 101/,
      );
      server.close();
    }
  });

  it("ends with any answer that is not 2xx", async () => {
    for (const status of [300, 304]) {
      await using sink = await listening(undefined, (_, response) => void response.writeHead(status).end());

      assert.match(await tried({ K_SINK: `http://127.0.0.1:${sink.port}/` }), new RegExp(`status ${status}`));
    }
  });
});
