"""What curl prints about a transfer: ``-w`` formats, help and version. Pure."""

from __future__ import annotations

import re

from meshcourse.embedded.images.tools.curl.transfer import AGENT, Result

HELP = """Usage: curl [options...] <url>
 -d, --data <data>           HTTP POST data (@file; also --data-raw, --data-binary, --data-urlencode, --json)
 -f, --fail                  Fail fast with no output on HTTP errors (--fail-with-body to keep it)
 -G, --get                   Put the post data in the URL and use GET
 -H, --header <header>       Pass a custom header
 -i, --include               Show response headers in the output
 -I, --head                  Show document info only
 -k, --insecure              Allow insecure server connections (--cacert, --cert, --key)
 -L, --location              Follow redirects (--max-redirs)
 -m, --max-time <seconds>    Maximum time allowed for transfer (--connect-timeout)
 -o, --output <file>         Write to file instead of stdout (-O for the remote name)
 -s, --silent                Silent mode (-S to show errors all the same)
 -u, --user <user:password>  Server user and password
 -v, --verbose               Make the operation more talkative
 -w, --write-out <format>    Output FORMAT after completion
 -x, --proxy <url>           Use this proxy (--noproxy); else http_proxy and https_proxy
 -X, --request <method>      Specify request method to use
     --resolve <host:port:address>, --connect-to <host:port:host:port>
This is meshcourse's own curl, used where the machine has none; it speaks HTTP/1.1.
"""
VERSION = f"{AGENT.replace('/', ' ')} (Python)\nProtocols: http https\nFeatures: SSL\n"

_VARIABLE = re.compile(r"%(?:(%)|header\{([^}]*)\}|\{([^}]*)\})")
_ESCAPES = {"\\n": "\n", "\\r": "\r", "\\t": "\t"}


def variables(result: Result) -> dict[str, str]:
    """The values that ``-w '%{name}'`` knows."""
    times = result.times
    return {
        "http_code": f"{result.status:03d}",
        "response_code": f"{result.status:03d}",
        "time_namelookup": f"{times.resolved:.6f}",
        "time_connect": f"{times.connected:.6f}",
        "time_appconnect": f"{times.secured:.6f}",
        "time_pretransfer": f"{times.secured or times.connected:.6f}",
        "time_starttransfer": f"{times.first_byte:.6f}",
        "time_total": f"{times.total:.6f}",
        "size_download": str(result.size),
        "size_header": str(result.header_size),
        "speed_download": str(int(result.size / times.total)) if times.total else "0",
        "num_connects": str(result.connects),
        "num_redirects": str(result.redirects),
        "redirect_url": result.redirect_url,
        "url_effective": result.url,
        "url": result.url,
        "scheme": result.url.partition(":")[0],
        "method": result.method,
        "content_type": result.header("content-type"),
        "http_version": result.version,
        "remote_ip": str(result.remote[0]),
        "remote_port": str(result.remote[1]),
        "local_ip": str(result.local[0]),
        "local_port": str(result.local[1]),
        "exitcode": str(result.error.code if result.error else 0),
        "errormsg": str(result.error.args[0]) if result.error else "",
    }


def write_out(template: str, result: Result) -> str:
    """A ``-w`` template filled in; unknown variables stay empty."""
    known = variables(result)

    def value(match: re.Match[str]) -> str:
        percent, header, name = match.groups()
        if percent:
            return "%"
        return result.header(header) if header is not None else known.get(name, "")

    for escape, character in _ESCAPES.items():
        template = template.replace(escape, character)
    return _VARIABLE.sub(value, template)
