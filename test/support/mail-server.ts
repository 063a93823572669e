import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";

/** A real server of mail, and what it took. */
export async function mailServer(options: SMTPServerOptions) {
  const mails: { readonly from: string; readonly to: readonly string[]; readonly text: string }[] = [];
  const logins: string[] = [];
  const server = new SMTPServer({
    authOptional: true,
    ...options,
    onAuth: ({ username, password }, _session, done) => {
      logins.push(`${username}:${password}`);
      done(password === "s3cret" ? null : new Error("wrong password"), { user: username ?? "" });
    },
    onData(stream, { envelope }, done) {
      let text = "";
      stream.setEncoding("utf8").on("data", (part: string) => (text += part));
      stream.on("end", () => {
        const from = envelope.mailFrom === false ? "" : envelope.mailFrom.address;
        mails.push({ from, to: envelope.rcptTo.map(({ address }) => address), text });
        done();
      });
    },
  });
  server.on("error", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server.server, "listening");
  const { port } = server.server.address() as AddressInfo;
  return {
    port,
    host: `localhost:${port}`,
    mails,
    logins,
    async [Symbol.asyncDispose]() {
      server.close(() => undefined);
    },
  };
}
