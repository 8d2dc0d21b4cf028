# Is the GPU of this CI machine usable? For a CI on Windows that has neither our GitHub action nor our GitLab component.
#
#   powershell -File ci_smoke.ps1 [options of gpucheck smoke]         e.g. --expect gpu.toml --fail-under 5
#   powershell -File ci_smoke.ps1 --simulate driver-version-mismatch  see the job go red
#
# It makes an environment of its own for gpucheck, runs gpucheck smoke, leaves the report as a file to keep, and ends
# with gpucheck's exit code: 0 fine, 1 an error was found, 2 wrong usage, 3 could not tell (or not be installed).
#
#   GPUCHECK_SOURCE        what pip installs: gpucheck-cli (the default), gpucheck-cli==1.2.3, a wheel, a checkout
#   GPUCHECK_REQUIREMENTS  a file with hashes, to install exactly that instead (pip's --require-hashes)
#   GPUCHECK_COMMAND       smoke (the default) or doctor
#   GPUCHECK_FORMAT        junit (the default), json
#   GPUCHECK_REPORT        where the report goes: gpucheck-report.xml, or .json
#   GPUCHECK_VENV          a folder to keep gpucheck's environment in; the default is a temporary one
#
# For Windows PowerShell 5.1 and newer. No param block: its binding would take options that are gpucheck's.

$ErrorActionPreference = 'Continue'

function Write-Said($text) { [Console]::Error.WriteLine("ci_smoke: $text") }

function Find-Python {
    foreach ($candidate in 'python', 'python3', 'py') {
        if (-not (Get-Command $candidate -ErrorAction SilentlyContinue)) { continue }
        & $candidate -c 'import sys; sys.exit(sys.version_info < (3, 10))' | Out-Null
        if ($LASTEXITCODE -eq 0) { return $candidate }
    }
    return $null
}

function Install-Gpucheck($venv) {
    $python = Find-Python
    if (-not $python) {
        Write-Said 'gpucheck itself needs a Python 3.10 or newer, beside the one that it examines'
        return $false
    }
    & $python -m venv $venv | Out-Null
    if ($LASTEXITCODE -ne 0) {
        Write-Said "$python -m venv did not work"
        return $false
    }
    $wanted = @('gpucheck-cli')
    if ($env:GPUCHECK_SOURCE) { $wanted = @($env:GPUCHECK_SOURCE) }
    if ($env:GPUCHECK_REQUIREMENTS) { $wanted = @('--require-hashes', '--requirement', $env:GPUCHECK_REQUIREMENTS) }
    & "$venv\Scripts\python.exe" -m pip install --quiet --disable-pip-version-check --no-input @wanted | Out-Null
    if ($LASTEXITCODE -ne 0) {
        Write-Said "pip could not install $wanted"
        return $false
    }
    return $true
}

$command = 'smoke'
if ($env:GPUCHECK_COMMAND) { $command = $env:GPUCHECK_COMMAND }
$format = 'junit'
if ($env:GPUCHECK_FORMAT) { $format = $env:GPUCHECK_FORMAT }
$report = 'gpucheck-report.xml'
if ($format -ne 'junit') { $report = "gpucheck-report.$format" }
if ($env:GPUCHECK_REPORT) { $report = $env:GPUCHECK_REPORT }

$temporary = $null
$venv = $env:GPUCHECK_VENV
if (-not $venv) {
    $temporary = Join-Path ([System.IO.Path]::GetTempPath()) "gpucheck-ci-$([guid]::NewGuid())"
    $venv = $temporary
}

$code = 3
try {
    if ((Test-Path "$venv\Scripts\gpucheck.exe") -or (Install-Gpucheck $venv)) {
        if (Test-Path $report) { Remove-Item -Force $report }
        & "$venv\Scripts\gpucheck.exe" $command @args --format $format --output $report
        $code = $LASTEXITCODE
        if (Test-Path $report) {
            Write-Said "exit code $code; the report is $report"
        }
        elseif ($code -eq 0) {
            Write-Said 'gpucheck ended well and left no report'
            $code = 3
        }
    }
}
finally {
    if ($temporary -and (Test-Path $temporary)) {
        Remove-Item -Recurse -Force $temporary -ErrorAction SilentlyContinue
    }
}
exit $code
