import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:tls";
import { connect, type AddressInfo } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { execa } from "execa";
import { bucketCatalog } from "../../../shared/catalog/bucket/bucket-catalog.ts";
import { aBackupOf, LARGE } from "../../contracts/mirror.ts";
import { embeddedStore, makeBucket, type OwnStore } from "../../support/s3.ts";
import { storeProxy } from "../../support/store-proxy.ts";
import { pieces, temporaryFolder } from "../../support/volume.ts";

const never = new AbortController().signal;

describe("a mirror's settings", () => {
  let store: OwnStore;
  before(async () => void (store = await embeddedStore()));
  after(() => store[Symbol.asyncDispose]());

  it("give each new object its storage class and its encryption, in parts or whole", async () => {
    await using proxy = await storeProxy(store.port);
    await using bucket = await makeBucket(store);
    const given = { storageClass: "STANDARD_IA", sse: "AES256", endpoint: proxy.endpoint };
    const backup = aBackupOf(LARGE);

    await bucketCatalog({ ...bucket.settings, ...given }).copyIn(backup, async () => pieces(LARGE), never);

    const begun = proxy.seen.filter(
      ({ method, path }) =>
        (method === "POST" && path.includes("?uploads")) ||
        (method === "PUT" && !path.includes("partNumber")),
    );
    assert.deepEqual(
      begun.map(({ headers }) => [headers["x-amz-storage-class"], headers["x-amz-server-side-encryption"]]),
      [
        ["STANDARD_IA", "AES256"],
        ["STANDARD_IA", "AES256"],
      ],
    );
  });

  it("trust a certificate of one's own, which is not trusted otherwise", async () => {
    await using folder = await temporaryFolder();
    await using tls = await behindTls(store.port, folder.path);
    await using bucket = await makeBucket(store);
    const settings = { ...bucket.settings, endpoint: tls.endpoint };
    const backup = aBackupOf(Buffer.from("PGDMP"));

    await assert.rejects(bucketCatalog(settings).list(never), {
      code: "mirror_unreachable",
      message: /certificate/,
      hint: /S3_CA_FILE/,
    });
    const otherName = tls.endpoint.replace("127.0.0.1", "localhost");
    await assert.rejects(
      bucketCatalog({ ...settings, endpoint: otherName, ca: tls.certificate }).list(never),
      {
        hint: /AWS_ENDPOINT_URL_S3 to a name that the store's certificate has/,
      },
    );
    const mirror = bucketCatalog({ ...settings, ca: tls.certificate });
    await mirror.copyIn(backup, async () => pieces("PGDMP"), never);

    assert.deepEqual((await mirror.list(never)).backups, [backup]);
  });
});

/** The store at `port` behind TLS, with a certificate that it signed itself. */
async function behindTls(port: number, folder: string) {
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const about = ["-days", "2", "-subj", "/CN=store", "-addext", "subjectAltName=IP:127.0.0.1"];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
  await execa("openssl", ["req", "-x509", "-nodes", ...curve, ...about, "-keyout", key, "-out", cert]);
  const certificate = await readFile(cert, "utf8");
  // Nothing is read here: what comes through TLS goes on as it is.
  const server = createServer({ key: await readFile(key), cert: certificate }, (outer) => {
    const inner = connect(port, "127.0.0.1");
    outer.pipe(inner).pipe(outer);
    inner.on("error", () => outer.destroy());
    outer.on("error", () => inner.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    certificate,
    endpoint: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => void server.close(),
  };
}
