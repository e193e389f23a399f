import { once } from "node:events";
import { createLogger } from "@rhone/common";
import { type Command, Option } from "commander";
import { duration } from "../option-parsers.js";

interface CertificateOptions {
  readonly ca: string;
  readonly caKey: string;
  readonly as: string;
  readonly name: string;
  readonly host: readonly string[];
  readonly life: number;
  readonly out: string;
  readonly renew?: boolean;
}

const ROLES = ["coordinator", "worker", "gateway", "operator", "redis"];
const EXAMPLES = `
For clusters whose processes others start: systemd, Kubernetes, a script. The authority is a CA of
yours, with an ECDSA key on P-256:
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=rhone \\
    -keyout ca.key -out ca.crt
  rhone certificate --ca ca.crt --ca-key ca.key --as worker --name b-1 --out /etc/rhone
Then RHONE_TLS_CA=/etc/rhone/ca.crt, RHONE_TLS_CERT=/etc/rhone/tls.crt and
RHONE_TLS_KEY=/etc/rhone/tls.key.`;

/** rhone certificate. */
export function addCertificateCommand(program: Command, signal: AbortSignal): void {
  program
    .command("certificate")
    .description("issue a process's certificate with the key of a CA of your own")
    .requiredOption("--ca <file>", "the authority's certificate, PEM")
    .requiredOption("--ca-key <file>", "its private key, PEM")
    .addOption(new Option("--as <role>", "what the owner is").choices(ROLES).makeOptionMandatory())
    .requiredOption("--name <name>", "the owner's name, another one for each process of a role")
    .option("--host <host...>", "host names and addresses of the owner; clients of Redis compare them", [])
    .addOption(
      new Option("--life <time>", "how long it is valid: 12h, 30d").argParser(duration).default(30 * 86_400_000, "30d"),
    )
    .requiredOption("--out <dir>", "folder of ca.crt, tls.crt and tls.key; a key that is there is kept")
    .option("--renew", "stay, and renew it each time that a third of its life is over")
    .addHelpText("after", EXAMPLES)
    .action((options: CertificateOptions) => issue(options, signal));
}

async function issue(options: CertificateOptions, signal: AbortSignal): Promise<void> {
  const { as: role, name, host: hosts, life: lifeMs } = options;
  // Loaded when it is needed: the library of certificates takes longer to load than most commands run.
  const { certificateFiles, issueIdentity, readAuthority, readIdentity, Renewal } = await import("@rhone/identity");
  const files = certificateFiles(options.out);
  const renew = async (): Promise<void> => {
    const authority = await readAuthority(options.ca, options.caKey);
    await issueIdentity(authority, files, { role, name, hosts, lifeMs, nowMs: Date.now() });
  };
  await renew();
  console.log(`${files.cert}: ${role} ${name}, valid for ${lifeMs / 3_600_000} h`);
  if (options.renew !== true) return;
  const renewal = new Renewal({
    ...{ read: () => readIdentity(files), renew, logger: createLogger({ service: "certificate", level: "info" }) },
    lookMs: Math.min(600_000, lifeMs / 12),
  });
  const waiting = setInterval(() => {}, 2 ** 30); // the renewal's own timer lets a process end
  try {
    if (!signal.aborted) await once(signal, "abort");
  } finally {
    clearInterval(waiting);
    renewal.close();
  }
}
