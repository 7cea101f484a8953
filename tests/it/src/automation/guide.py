"""Reads the guide's PowerShell: parses each example by a grammar of PowerShell, and lists the requests of the bash and PowerShell ones."""

import json, re, sys

import tree_sitter_powershell
from tree_sitter import Language, Parser

examples = json.load(sys.stdin)
parser = Parser(Language(tree_sitter_powershell.language()))


def wrong(text):
    """Where the grammar does not understand it."""
    found, nodes = [], [parser.parse(text.encode()).root_node]
    while nodes:
        node = nodes.pop()
        if node.is_error or node.is_missing:
            found.append(f"line {node.start_point[0] + 1}: {text.splitlines()[node.start_point[0]]}")
        nodes += node.children
    return found


def plain(path):
    """A path without the names of its variables."""
    return re.sub(r"\$\{?(env:)?\w+\}?", "{}", path)


def of_bash(text):
    requests = []
    for line in text.splitlines():
        for path in re.findall(r'"\$SALLYPORT_URL(/v1/[^"]*)"', line):
            method = re.search(r"-X (\w+)", line)
            body = re.search(r"--json (?:'([^']*)'|\"((?:[^\"\\]|\\.)*)\")", line)
            keys = sorted(re.findall(r'\\?"(\w+)\\?":', (body.group(1) or body.group(2)))) if body else []
            requests.append([method.group(1) if method else "POST" if body else "GET", plain(path), keys])
    return requests


def of_powershell(text):
    bodies = {name: sorted(re.findall(r"(\w+) = ", body)) for name, body in re.findall(r"(\$\w+) = @\{(.*)\} \| ConvertTo-Json", text)}
    requests = []
    for line in text.splitlines():
        for call in re.findall(r"Invoke-RestMethod[^)]*", line):
            method = re.search(r"-Method (\w+)", call)
            path = re.search(r'-Uri "\$env:SALLYPORT_URL(/v1/[^"]*)"', call).group(1)
            body = re.search(r"-Body (\$\w+)", call)
            requests.append([method.group(1).upper() if method else "GET", plain(path), bodies[body.group(1)] if body else []])
    return requests


result = []
for one in examples:
    result.append({"wrong": wrong(one["powershell"]), "bash": of_bash(one["bash"]), "powershell": of_powershell(one["powershell"])})
print(json.dumps(result))
