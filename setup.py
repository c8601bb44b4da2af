"""Maps apps/ into the package, which setup.cfg cannot say beside `find:`: the apps travel with the wheel."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["tfxai3d", "tfxai3d.*"]), "tfxai3d.apps"],
    package_dir={"tfxai3d.apps": "apps"},
)
