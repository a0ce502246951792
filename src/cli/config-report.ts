// How the result of --test-config is shown: each finding on a line of standard error, or everything as JSON on standard output.

import type { Config } from '../options/config.js'
import type { Finding } from './config-findings.js'
import { isOpenToNetwork, isReachable } from './listener-checks.js'

/** `FILE:LINE: TEXT` for errors, `FILE:LINE: warning: TEXT` for the others. */
export function findingText({ severity, file, line, message }: Finding): string {
  const place = line > 0 ? `${file}:${line}` : file
  return `${place}: ${severity === 'warning' ? 'warning: ' : ''}${message}`
}

/** The last line: how many there are. */
export function summaryText(files: readonly string[], findings: readonly Finding[]): string {
  const count = (severity: Finding['severity'], name: string) => {
    const { length } = findings.filter((each) => each.severity === severity)
    return length === 0 ? [] : [`${length} ${name}${length === 1 ? '' : 's'}`]
  }
  const counts = [...count('error', 'error'), ...count('warning', 'warning')]
  return `${files.join(', ')}: ${counts.length === 0 ? 'no problems found' : counts.join(', ')}`
}

/** Everything, on one line. */
export function reportJson(config: Config, findings: readonly Finding[]): string {
  const pick = (severity: Finding['severity']) =>
    findings
      .filter((each) => each.severity === severity)
      .map(({ file, line, message }) => ({ file, ...(line > 0 ? { line } : {}), message }))
  const listeners = config.listeners.map((listener) => ({
    ...(listener.path === undefined ? { port: listener.port } : { path: listener.path }),
    ...(listener.bind_address === undefined ? {} : { address: listener.bind_address }),
    protocol: listener.protocol,
    tls: listener.certfile !== undefined || listener.psk_hint !== undefined,
    requires_certificate: listener.require_certificate,
    allow_anonymous: listener.allow_anonymous,
    reachable_from_network: isReachable(listener),
    anonymous_from_network: isOpenToNetwork(listener),
    ...(listener.where === undefined ? {} : { file: listener.where.file, line: listener.where.line }),
  }))
  const errors = pick('error')
  return JSON.stringify({
    ok: errors.length === 0,
    files: config.files,
    errors,
    warnings: pick('warning'),
    listeners,
  })
}
