// The certificates of the authorities that this system trusts, as PEM; those that came with Node where the system's are not found.

import { existsSync, readFileSync } from 'node:fs'
import * as tls from 'node:tls'

/** Where distributions keep the bundle. */
const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
] as const

type SystemStore = (type: 'system') => readonly string[]

/** `SSL_CERT_FILE` names another bundle, as it does for OpenSSL. */
export function systemAuthorities(env: NodeJS.ProcessEnv = process.env): readonly string[] {
  const bundle = [env.SSL_CERT_FILE ?? '', ...BUNDLES].find((file) => file !== '' && existsSync(file))
  if (bundle !== undefined) return [readFileSync(bundle, 'latin1')]
  // Since Node 22.15; reads the stores of macOS and Windows.
  const { getCACertificates } = tls as { readonly getCACertificates?: SystemStore }
  const found = getCACertificates?.('system') ?? []
  return found.length > 0 ? found : tls.rootCertificates
}
