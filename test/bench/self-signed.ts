// The certificate of the TLS listeners that are measured, made with the `openssl` command.
import { execFileSync } from 'node:child_process'

const PEM = /-----BEGIN [A-Z ]+-----[\s\S]+?-----END [A-Z ]+-----\n/g

/** A P-256 certificate for localhost and its key, as PEM. Throws an `Error` where there is no openssl. */
export function selfSigned(): { readonly cert: string; readonly key: string } {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', '-']
  const args = ['req', '-x509', ...key, '-subj', '/CN=localhost', '-days', '30', '-out', '-']
  const blocks = execFileSync('openssl', args, { encoding: 'latin1', stdio: ['ignore', 'pipe', 'ignore'] }).match(PEM)
  const find = (kind: string) => blocks?.find((block) => block.startsWith(`-----BEGIN ${kind}-----`)) ?? ''
  return { cert: find('CERTIFICATE'), key: find('PRIVATE KEY') }
}
