# Node for both scripts: the machine's, or the one that setup.sh has put into the home folder.
NODE_VERSION=22.22.0
NODE=$HOME/.local/share/rhone-node
export PATH="$PATH:$NODE/bin"
