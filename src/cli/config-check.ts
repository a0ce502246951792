// --test-config: everything that can be known of a configuration before it runs (spec: features.md C11). Every file it names is read, as
// the user the broker becomes; nothing is changed, and sockets are opened only with --bind.

import { closeSync, openSync } from 'node:fs'
import { systemText } from '../access/restricted-file.js'
import { findPlugin } from '../broker/plugins/load-plugin.js'
import { PluginError } from '../broker/plugins/loaded-plugin.js'
import type { Config } from '../options/config.js'
import { checkAccessFiles } from './access-file-checks.js'
import { Findings } from './config-findings.js'
import { checkListeners, checkSites, tryListeners } from './listener-checks.js'
import { ProcessError } from './process-error.js'
import { actAs, type Identity, planIdentity } from './process-identity.js'
import { looseFiles } from './secret-files.js'
import { checkTls } from './tls-checks.js'
import { checkPidFile, checkWritableFiles } from './writable-file-checks.js'

/** Looks at `config`, and with `bind` at the ports, too. */
export async function checkConfig(config: Config, { bind }: { readonly bind: boolean }): Promise<Findings> {
  const findings = new Findings(config)
  for (const { file, line, reason } of config.problems) findings.add('error', { file, line }, reason)
  for (const { file, line, reason } of config.warnings) findings.add('warning', { file, line }, reason)
  for (const { at, message } of looseFiles(config)) findings.add('warning', at, message)
  const identity = targetOf(config, findings)
  // Certificates are read before the broker becomes somebody else.
  checkTls(config, findings)
  const check = () => {
    checkAccessFiles(config, findings)
    checkWritableFiles(config, findings)
    checkSites(config, findings)
    checkPlugins(config, findings)
    if (identity !== undefined) checkReload(config, findings)
  }
  if (identity === undefined) check()
  else actAs(identity, check)
  checkPidFile(config, findings)
  checkListeners(config, findings)
  if (bind) await tryListeners(config, findings)
  return findings
}

/** Whether the modules of plugins are there. They are not run. */
function checkPlugins({ plugins }: Config, findings: Findings): void {
  for (const plugin of plugins)
    try {
      for (const warning of findPlugin(plugin).warnings) findings.add('warning', plugin.where, warning)
    } catch (error) {
      if (!(error instanceof PluginError)) throw error
      findings.add('error', plugin.where, error.message)
    }
}

/** Whom the broker would become. */
function targetOf(config: Config, findings: Findings): Identity | undefined {
  const isDefault = !config.positions.has('user')
  try {
    const { identity, warnings } = planIdentity(config.user, isDefault)
    // What is said of the default is about this machine, not about the file.
    if (!isDefault) for (const warning of warnings) findings.about('warning', 'user', undefined, warning)
    return identity
  } catch (error) {
    if (!(error instanceof ProcessError)) throw error
    findings.about('error', 'user', undefined, error.message)
    return undefined
  }
}

/** A reload reads the files of TLS again, as another user than the start. */
function checkReload({ listeners }: Config, findings: Findings): void {
  for (const listener of listeners)
    for (const directive of ['certfile', 'keyfile', 'cafile', 'crlfile'] as const) {
      const { [directive]: path } = listener
      if (path === undefined) continue
      try {
        closeSync(openSync(path, 'r'))
      } catch (error) {
        const reason = `${directive} ${path} cannot be read when the broker runs, so a reload will fail: ${systemText(error)}`
        findings.about('warning', directive, listener, reason)
      }
    }
}
